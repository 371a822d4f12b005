// Turns the speech probability of each window into spans of speech.
#pragma once

#include <cstdint>
#include <vector>

#include "vad/vad.h"

namespace earshot {

/**
 * The rule of sherpa-onnx's detector for Silero, to the sample: both give the same spans.
 * Window n begins at sample n × kWindow. No I/O, no state outside the object.
 */
class SpeechSpans {
public:
	/** Samples from one window to the next: 32 ms. */
	static constexpr int kWindow = 512;
	/** Samples shared by consecutive windows. */
	static constexpr int kOverlap = 64;

	/** Once a span exceeds max_speech_seconds, a pause of this many samples ends it. */
	static constexpr int64_t kForcedSplitSilence = kSampleRate / 10;

	explicit SpeechSpans(const VadOptions& options);

	/** Takes the speech probability of the next window, 0..1, and appends spans that end with it: start, end, in samples. */
	void Push(float probability, std::vector<uint32_t>& ended);
	/** Ends the open span at the end of the last window. */
	void Finish(std::vector<uint32_t>& ended);

	/** VadSegments::open */
	int64_t open() const { return start_; }
	/** VadSegments::settled, before the end of the recording. */
	uint32_t settled() const;

private:
	bool IsSpeech(float probability, float threshold, int64_t silence);
	/** Start of a span whose speech is detected in the last window, unless the previous span ended later. */
	int64_t LookBack() const;

	const float threshold_;
	const int64_t min_silence_, min_speech_, max_speech_;
	/** `tail_`: end of the last window. No later span starts before `head_`. */
	int64_t tail_ = 0, head_ = 0;
	/** Start of the open span, or -1. */
	int64_t start_ = -1;
	/** End of the last span. */
	int64_t after_ = 0;
	bool speaking_ = false;
	/** Ends of the windows in which the probability rose above the threshold and then fell below it; 0 = not yet. */
	int64_t speech_from_ = 0, silence_from_ = 0;
};

}  // namespace earshot
