// Whisper's log-mel spectrogram.
#pragma once

#include <cstddef>
#include <vector>

#include "core/clip.h"

namespace earshot {

/** Silence that Whisper gets behind each clip, in samples. */
constexpr size_t kWindowSamples = size_t{30} * kSampleRate;

struct LogMel {
	/** For each band as many values as there are frames of 10 ms. */
	std::vector<float> values;
	size_t frames = 0;
};

/** A model's filters. Any thread. */
class MelFilters {
public:
	/** `weights`: for each band one for each of 201 bins of 40 Hz. */
	MelFilters(const float* weights, size_t mels);
	/** Of at least 201 finite samples. */
	LogMel Spectrogram(const float* samples, size_t size) const;

private:
	struct Filter {
		size_t first;
		std::vector<float> weights;
	};
	std::vector<Filter> filters_;
};

}  // namespace earshot
