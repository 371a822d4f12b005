// Spans of speech from probabilities: the arithmetic of voice activity detection.
#include <cstdint>
#include <vector>

#include "check.h"
#include "vad/spans.h"

namespace earshot::tests {

namespace {

using Numbers = std::vector<uint32_t>;

/** 1600, 4000 and 320000 samples. */
constexpr VadOptions kRule{0.5F, 0.1F, 0.25F, 20};

void PushWindows(SpeechSpans& spans, int count, float probability, Numbers& ended) {
	for (int i = 0; i < count; i++) spans.Push(probability, ended);
}

}  // namespace

TEST("silence has no span") {
	SpeechSpans spans(kRule);
	Numbers ended;
	PushWindows(spans, 100, 0, ended);
	EXPECT(spans.open() == -1);
	spans.Finish(ended);
	EXPECT(ended.empty());
}

TEST("a span begins before the window in which speech is detected, and ends where the silence begins") {
	SpeechSpans spans(kRule);
	Numbers ended;
	PushWindows(spans, 10, 0, ended);
	PushWindows(spans, 20, 0.9F, ended);
	// Detected in window 18, which ends at 19 · 512; starts two windows with overlap plus the minimum speech before that.
	const int64_t begins = 19 * 512 - 2 * (512 + 64) - 4000;
	EXPECT(spans.open() == begins);
	EXPECT(ended.empty());
	PushWindows(spans, 20, 0, ended);
	// Detected in window 34, the first that ends at least 1600 samples after the first silent one.
	EXPECT((ended == Numbers{static_cast<uint32_t>(begins), 35 * 512 - 1600}));
	EXPECT(spans.open() == -1);
	EXPECT(spans.settled() >= ended.back());
}

TEST("a sound shorter than the minimum speech is not a span") {
	SpeechSpans spans(kRule);
	Numbers ended;
	PushWindows(spans, 10, 0, ended);
	PushWindows(spans, 8, 0.9F, ended);
	PushWindows(spans, 20, 0, ended);
	spans.Finish(ended);
	EXPECT(ended.empty());
}

TEST("a pause shorter than the minimum silence does not end a span") {
	SpeechSpans spans(kRule);
	Numbers ended;
	PushWindows(spans, 20, 0.9F, ended);
	PushWindows(spans, 4, 0, ended);
	PushWindows(spans, 20, 0.9F, ended);
	EXPECT(ended.empty());
	EXPECT(spans.open() >= 0);
}

TEST("an open span ends with the recording") {
	SpeechSpans spans(kRule);
	Numbers ended;
	PushWindows(spans, 30, 0.9F, ended);
	spans.Finish(ended);
	EXPECT((ended == Numbers{0, 30 * 512}));
	EXPECT(spans.open() == -1);
}

}  // namespace earshot::tests
