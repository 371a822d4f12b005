// Whisper's log-mel spectrogram.
#pragma once

#include <cstddef>
#include <vector>

#include "core/clip.h"

namespace earshot {

/** Samples of silence appended to each clip. */
constexpr size_t kWindowSamples = size_t{30} * kSampleRate;

struct LogMel {
	/** Bands × frames of 10 ms. */
	std::vector<float> values;
	size_t frames = 0;
};

/** A model's mel filters. Any thread. */
class MelFilters {
public:
	/** `weights`: bands × 201 bins of 40 Hz. */
	MelFilters(const float* weights, size_t mels);
	/** `samples`: at least 201, finite. */
	LogMel Spectrogram(const float* samples, size_t size) const;

private:
	struct Filter {
		size_t first;
		std::vector<float> weights;
	};
	std::vector<Filter> filters_;
};

}  // namespace earshot
