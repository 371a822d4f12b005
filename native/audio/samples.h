// Samples between a decoder and its reader.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/clip.h"

namespace earshot::audio {

/** 100 dB over full scale: floats on the scale of 16-bit integers are within it; larger values are not audio. */
constexpr float kMaxMagnitude = 1e5F;

/** The largest magnitude as the bits of a float, whose order is that of the magnitudes, with infinity and NaN above all
 * numbers. Compilers do many at a time, as they may not with floats because of NaN. */
inline int32_t PeakBits(const float* samples, size_t count) {
	int32_t peak = 0;
	for (size_t i = 0; i < count; i++) peak = std::max(peak, std::bit_cast<int32_t>(samples[i]) & 0x7FFFFFFF);
	return peak;
}

/** Models do not check their input: replaces NaN and infinity by silence. */
inline void Sanitize(float* samples, size_t count) {
	if (PeakBits(samples, count) <= std::bit_cast<int32_t>(kMaxMagnitude)) return;
	for (size_t i = 0; i < count; i++) {
		samples[i] = std::isfinite(samples[i]) ? std::clamp(samples[i], -kMaxMagnitude, kMaxMagnitude) : 0.0F;
	}
}

/**
 * Decoded samples that have not been read, in [-1, 1]. Floats over full scale are attenuated, not clipped, since models
 * recognize clipped speech worse than quiet speech. The gain falls within the block of 10 ms before the loud one, and
 * rises again by 6 dB a second; it stays 1 if no sample is over full scale.
 */
class Samples {
public:
	/** Room for `count` more at the end, until the next call of Extend. */
	float* Extend(size_t count) {
		if (begin_ > 0 && begin_ == ready_) {
			std::copy(values_.begin() + static_cast<ptrdiff_t>(begin_), values_.begin() + static_cast<ptrdiff_t>(end_),
				values_.begin());
			end_ -= begin_;
			begin_ = ready_ = 0;
		}
		if (values_.size() < end_ + count) values_.resize(end_ + count);
		return values_.data() + end_;
	}
	void Commit(size_t count) {
		Sanitize(values_.data() + end_, count);
		end_ += count;
		while (end_ - ready_ >= 2 * kBlock) Level(kBlock, kBlock);
	}
	/** Ends the samples. */
	void End() {
		while (ready_ < end_) {
			const size_t count = std::min(kBlock, end_ - ready_);
			Level(count, std::min(kBlock, end_ - ready_ - count));
		}
	}
	/** Number of samples that can be taken: all except the last few milliseconds, until the end. */
	size_t size() const { return ready_ - begin_; }

	/** For a recording of a few milliseconds, shorter than the resampler's filter, which returns nothing: it counts as
	 * silence. */
	size_t AppendSilence(double seconds) {
		const auto count = static_cast<size_t>(std::ceil(std::min(seconds, 1.0) * kSampleRate));
		std::fill_n(Extend(count), count, 0.0F);
		Commit(count);
		return count;
	}

	/** Takes up to `count` off the front. */
	size_t Take(float* into, size_t count) {
		count = std::min(count, size());
		std::copy_n(values_.data() + begin_, count, into);
		begin_ += count;
		return count;
	}

private:
	static constexpr size_t kBlock = kSampleRate / 100;
	/** 6 dB a second, in each block. */
	static constexpr float kRelease = 1.0069F;

	/** The gain at which none of these finite samples is over full scale. */
	static float GainOf(const float* samples, size_t count) {
		return 1 / std::max(1.0F, std::bit_cast<float>(PeakBits(samples, count)));
	}

	/** The next block is ready; `after` more follow. The gain moves along a line between the blocks' borders. */
	void Level(size_t count, size_t after) {
		float* block = values_.data() + ready_;
		if (!begun_) border_ = gain_ = GainOf(block, count);
		begun_ = true;
		const float next = std::min({1.0F, gain_ * kRelease, GainOf(block + count, after)});
		const float to = std::min(gain_, next);
		if (border_ < 1 || to < 1) {
			const float step = (to - border_) / static_cast<float>(count);
			for (size_t i = 0; i < count; i++) {
				block[i] = std::clamp(block[i] * (border_ + step * static_cast<float>(i)), -1.0F, 1.0F);
			}
		}
		border_ = to;
		gain_ = next;
		ready_ += count;
	}

	std::vector<float> values_;
	/** Taken up to `begin_`, levelled up to `ready_`. */
	size_t begin_ = 0, ready_ = 0, end_ = 0;
	bool begun_ = false;
	/** The gain of the block at `ready_`, and that at its start. */
	float gain_ = 1, border_ = 1;
};

}  // namespace earshot::audio
