#include "vad/spans.h"

#include <algorithm>

namespace earshot {

namespace {

/** The threshold while a span is longer than the rule allows. */
constexpr float kHastyThreshold = 0.9F;

/** As far below the threshold speech goes on, but not at less than this. */
constexpr float kHysteresis = 0.15F, kLeastChance = 0.01F;

/** In single precision, as sherpa-onnx counts. */
int64_t SamplesOf(float seconds) { return static_cast<int32_t>(static_cast<float>(kSampleRate) * seconds); }

}  // namespace

SpeechSpans::SpeechSpans(const SpeechRule& rule)
	: threshold_(rule.threshold),
	  min_silence_(SamplesOf(rule.min_silence_seconds)),
	  min_speech_(SamplesOf(rule.min_speech_seconds)),
	  max_speech_(SamplesOf(rule.max_speech_seconds)) {}

void SpeechSpans::Push(float chance, std::vector<uint32_t>& ended) {
	const bool hasty = tail_ - head_ > max_speech_;
	const int64_t silence = hasty ? kHastySilence : min_silence_;
	tail_ += kWindow;
	if (IsSpeech(chance, hasty ? kHastyThreshold : threshold_, silence)) {
		if (start_ < 0) start_ = std::max(LookBack(), head_);
		return;
	}
	if (start_ < 0) {
		head_ = std::max(head_, LookBack());
		return;
	}
	// A pause longer than the span leaves nothing of it.
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

bool SpeechSpans::IsSpeech(float chance, float threshold, int64_t silence) {
	const bool above = chance > threshold;
	if (above) fell_ = 0;
	if (!speaking_) {
		if (above && rose_ == 0) rose_ = tail_;
		else if (above) speaking_ = tail_ - rose_ >= min_speech_;
		else if (chance < threshold) rose_ = 0;
		return speaking_;
	}
	if (chance > std::max(threshold - kHysteresis, kLeastChance)) return true;
	if (fell_ == 0) fell_ = tail_;
	if (tail_ - fell_ < silence) return true;
	rose_ = fell_ = 0;
	speaking_ = false;
	return false;
}

int64_t SpeechSpans::LookBack() const {
	return std::max<int64_t>(0, tail_ - 2 * (kWindow + kOverlap) - min_speech_);
}

uint32_t SpeechSpans::settled() const {
	if (start_ < 0) return static_cast<uint32_t>(std::max(after_, LookBack()));
	// The end is put that much before the window that the silence is noticed in.
	return static_cast<uint32_t>(std::max(start_, tail_ - std::max(min_silence_, kHastySilence)));
}

}  // namespace earshot
