#include "vad/spans.h"

#include <algorithm>

namespace earshot {

namespace {

/** Threshold once a span exceeds max_speech_seconds. */
constexpr float kForcedSplitThreshold = 0.9F;

/** Speech continues until the probability is this far below the threshold, or below the minimum. */
constexpr float kHysteresis = 0.15F, kMinThreshold = 0.01F;

/** In single precision, to round as sherpa-onnx does. */
int64_t SamplesOf(float seconds) { return static_cast<int32_t>(static_cast<float>(kSampleRate) * seconds); }

}  // namespace

SpeechSpans::SpeechSpans(const VadOptions& options)
	: threshold_(options.threshold),
	  min_silence_(SamplesOf(options.min_silence_seconds)),
	  min_speech_(SamplesOf(options.min_speech_seconds)),
	  max_speech_(SamplesOf(options.max_speech_seconds)) {}

void SpeechSpans::Push(float probability, std::vector<uint32_t>& ended) {
	const bool too_long = tail_ - head_ > max_speech_;
	const int64_t silence = too_long ? kForcedSplitSilence : min_silence_;
	tail_ += kWindow;
	if (IsSpeech(probability, too_long ? kForcedSplitThreshold : threshold_, silence)) {
		if (start_ < 0) start_ = std::max(LookBack(), head_);
		return;
	}
	if (start_ < 0) {
		head_ = std::max(head_, LookBack());
		return;
	}
	// If the pause is longer than the span, nothing is left of it.
	const int64_t end = tail_ - silence;
	if (end > start_) {
		ended.insert(ended.end(), {static_cast<uint32_t>(start_), static_cast<uint32_t>(end)});
		after_ = end;
	}
	head_ = std::max(head_, end);
	start_ = -1;
}

void SpeechSpans::Finish(std::vector<uint32_t>& ended) {
	if (start_ >= 0) ended.insert(ended.end(), {static_cast<uint32_t>(start_), static_cast<uint32_t>(tail_)});
	start_ = -1;
}

bool SpeechSpans::IsSpeech(float probability, float threshold, int64_t silence) {
	const bool above = probability > threshold;
	if (above) silence_from_ = 0;
	if (!speaking_) {
		if (above && speech_from_ == 0) speech_from_ = tail_;
		else if (above) speaking_ = tail_ - speech_from_ >= min_speech_;
		else if (probability < threshold) speech_from_ = 0;
		return speaking_;
	}
	if (probability > std::max(threshold - kHysteresis, kMinThreshold)) return true;
	if (silence_from_ == 0) silence_from_ = tail_;
	if (tail_ - silence_from_ < silence) return true;
	speech_from_ = silence_from_ = 0;
	speaking_ = false;
	return false;
}

int64_t SpeechSpans::LookBack() const {
	return std::max<int64_t>(0, tail_ - 2 * (kWindow + kOverlap) - min_speech_);
}

uint32_t SpeechSpans::settled() const {
	if (start_ < 0) return static_cast<uint32_t>(std::max(after_, LookBack()));
	// A span ends this far before the window in which silence is detected.
	return static_cast<uint32_t>(std::max(start_, tail_ - std::max(min_silence_, kForcedSplitSilence)));
}

}  // namespace earshot
