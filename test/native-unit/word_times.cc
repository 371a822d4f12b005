// Token times and repetition loops.
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "check.h"
#include "core/clip.h"
#include "whisper/math/repetition.h"
#include "whisper/math/sound.h"
#include "whisper/math/word_times.h"

namespace earshot::tests {

namespace {

bool IsNear(const TokenSpan& span, double start, double end) {
	return std::abs(span.start - start) < 0.011 && std::abs(span.end - end) < 0.011;
}

/** A second of silence, one of a tone, one of silence. */
std::vector<float> ToneBetweenSilence() {
	std::vector<float> samples(3 * kSampleRate, 0.0F);
	for (int i = kSampleRate; i < 2 * kSampleRate; i++) {
		samples[static_cast<size_t>(i)] = static_cast<float>(std::sin(2 * std::numbers::pi * 400 * i / kSampleRate));
	}
	return samples;
}

}  // namespace

TEST("each token has its own time, within its window") {
	std::vector<TokenSpan> spans = {{1, 1.5}, {1.5, 1.5}, {1.5, 1.5}, {1.5, 1.8}, {2, 2}};
	std::vector<TokenSpan*> pointers;
	for (TokenSpan& span : spans) pointers.push_back(&span);
	KeepApart(pointers, 1, 2);
	EXPECT(IsNear(spans[0], 1, 1.5));
	for (size_t i = 0; i < spans.size(); i++) {
		EXPECT(spans[i].end - spans[i].start > 0.0199);
		if (i > 0) EXPECT(spans[i].start >= spans[i - 1].end - 1e-9);
	}
	EXPECT(spans.back().end <= 2);
	// With too little time, tokens share it.
	KeepApart(pointers, 1, 1.05);
	EXPECT(spans.front().start >= 1 && spans.back().end <= 1.05 + 1e-9);
	for (const TokenSpan& span : spans) EXPECT(span.end > span.start);
}

TEST("tokens are where the heads attend") {
	Attention attention{1, 4, 30, std::vector<float>(4 * 30, 0.0F)};
	// The first row predicts no token; each following one attends to ten frames of 20 ms.
	for (size_t row = 1; row < 4; row++) {
		for (size_t frame = 0; frame < 10; frame++) attention.At(0, row, (row - 1) * 10 + frame) = 1;
	}
	const std::vector<TokenSpan> spans = AlignByAttention(attention, 1, 2);
	EXPECT(spans.size() == 2);
	if (spans.size() != 2) return;
	EXPECT(IsNear(spans[0], 0, 0.2));
	EXPECT(IsNear(spans[1], 0.2, 0.4));
}

TEST("attention with fewer rows than tokens aligns nothing") {
	const Attention attention{1, 3, 30, std::vector<float>(3 * 30, 1.0F)};
	EXPECT(AlignByAttention(attention, 1, 2).empty());
	EXPECT(AlignByAttention({}, 0, 2).empty());
}

TEST("silence at both ends of a span is trimmed") {
	const std::vector<float> samples = ToneBetweenSilence();
	const Sound sound(samples.data(), samples.size());
	EXPECT(!sound.Any(0, 0.9));
	EXPECT(sound.Any(0.9, 1.1));
	EXPECT(IsNear(sound.Trim({0.5, 2.5}), 1, 2));
	EXPECT(IsNear(sound.Trim({0.2, 0.8}), 0.2, 0.8));
}

TEST("tokens are distributed over the loud frames by their lengths") {
	const std::vector<float> samples = ToneBetweenSilence();
	const Sound sound(samples.data(), samples.size());
	const std::vector<TokenSpan> spans = sound.Spread({{1, true}, {3, true}}, 0, 3);
	EXPECT(spans.size() == 2);
	if (spans.size() != 2) return;
	EXPECT(IsNear(spans[0], 1, 1.25));
	EXPECT(IsNear(spans[1], 1.25, 2));
}

TEST("a token over and over is a loop from the twentieth repetition on") {
	const std::vector<int32_t> tokens(21, 7);
	EXPECT(EndsInLoop(tokens.data(), 21));
	EXPECT(!EndsInLoop(tokens.data(), 20));
}

TEST("the first round of a loop is kept") {
	std::vector<int32_t> tokens{1, 2, 3};
	for (int round = 0; round < 15; round++) tokens.insert(tokens.end(), {8, 9});
	using Ranges = std::vector<std::pair<size_t, size_t>>;
	EXPECT((FindLoops(tokens) == Ranges{{5, 33}}));
	EXPECT(FindLoops({1, 2, 3, 1, 2, 3, 1, 2, 3}).empty());
}

}  // namespace earshot::tests
