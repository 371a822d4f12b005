// Audio for engines: mono, f32, 16 kHz.
#pragma once

#include <cstddef>
#include <memory>

#include "core/cancel.h"

namespace earshot {

constexpr int kSampleRate = 16000;

/** View of a JavaScript array, which the bindings keep alive while the clip runs. */
struct Clip {
	const float* samples = nullptr;
	size_t size = 0;

	double Seconds() const { return static_cast<double>(size) / kSampleRate; }
};

/** One clip of a batch with its cancellation. */
struct ClipRequest {
	Clip clip;
	std::shared_ptr<const Cancel> cancel;
};

}  // namespace earshot
