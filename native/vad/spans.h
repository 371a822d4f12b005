// Where speech begins and ends, from the probability of it in each window.
#pragma once

#include <cstdint>
#include <vector>

#include "vad/vad.h"

namespace earshot {

/**
 * The rule of sherpa-onnx's detector for Silero, to the sample: both give the same spans.
 * Window n begins at sample n × kWindow. Pure.
 */
class SpeechSpans {
public:
	/** Samples from one window to the next: 32 ms. */
	static constexpr int kWindow = 512;
	/** Samples of the next window that a window reads too. */
	static constexpr int kOverlap = 64;

	/** A pause of this many samples ends a span that is longer than the rule allows. */
	static constexpr int64_t kHastySilence = kSampleRate / 10;

	explicit SpeechSpans(const SpeechRule& rule);

	/** The next window's chance of speech, 0..1. Spans that end by it are appended: start, end, in samples. */
	void Push(float chance, std::vector<uint32_t>& ended);
	/** The recording is over: the span that is open ends with the last window. */
	void Finish(std::vector<uint32_t>& ended);

	/** As VadSegments has it. */
	int64_t open() const { return start_; }
	/** As VadSegments has it, while the recording goes on. */
	uint32_t settled() const;

private:
	bool IsSpeech(float chance, float threshold, int64_t silence);
	/** Where a span begins whose speech is noticed in the last window, unless the one before ended later. */
	int64_t LookBack() const;

	const float threshold_;
	const int64_t min_silence_, min_speech_, max_speech_;
	/** End of the last window; what comes before `head_` is in no span to come. */
	int64_t tail_ = 0, head_ = 0;
	/** Start of the open span, or -1. */
	int64_t start_ = -1;
	/** End of the last span. */
	int64_t after_ = 0;
	bool speaking_ = false;
	/** Ends of the windows where the chance rose above the threshold, and where it then fell below; 0 = it has not. */
	int64_t rose_ = 0, fell_ = 0;
};

}  // namespace earshot
