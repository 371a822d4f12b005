// Audio as every engine takes it: mono, f32, 16 kHz.
#pragma once

#include <cstddef>
#include <memory>

#include "core/cancel.h"

namespace earshot {

constexpr int kSampleRate = 16000;

/** A view into samples that the bindings keep while the clip runs. */
struct Clip {
	const float* samples = nullptr;
	size_t size = 0;

	double Seconds() const { return static_cast<double>(size) / kSampleRate; }
};

/** One clip of a batch, and its cancellation. */
struct ClipRequest {
	Clip clip;
	std::shared_ptr<const Cancel> cancel;
};

}  // namespace earshot
