// Queue of samples between a decoder and its reader.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/clip.h"

namespace earshot::audio {

/** Decoded samples that have not been read yet. */
class Samples {
public:
	/** Returns space for `count` samples at the end, valid until the next call; Commit adds them. */
	float* Extend(size_t count) {
		if (begin_ == end_) begin_ = end_ = 0;
		if (values_.size() < end_ + count) values_.resize(end_ + count);
		return values_.data() + end_;
	}
	void Commit(size_t count) { end_ += count; }
	size_t size() const { return end_ - begin_; }

	/** For a recording of a few milliseconds, shorter than the resampler's filter, which returns none of it. */
	size_t AppendSilence(double seconds) {
		const auto count = static_cast<size_t>(std::ceil(std::min(seconds, 1.0) * kSampleRate));
		std::fill_n(Extend(count), count, 0.0F);
		Commit(count);
		return count;
	}

	/** Removes up to `count` from the front. Returns how many. */
	size_t Take(float* into, size_t count) {
		count = std::min(count, size());
		std::copy_n(values_.data() + begin_, count, into);
		begin_ += count;
		return count;
	}

private:
	std::vector<float> values_;
	size_t begin_ = 0, end_ = 0;
};

/** Replaces NaN and infinity by silence, which models do not expect, and clips to full scale, as players do with float
 * files. */
inline void MakeSane(float* samples, size_t count) {
	for (size_t i = 0; i < count; i++) {
		const float sample = samples[i];
		samples[i] = std::isfinite(sample) ? std::clamp(sample, -1.0F, 1.0F) : 0.0F;
	}
}

}  // namespace earshot::audio
