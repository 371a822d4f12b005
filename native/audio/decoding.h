// The interface of the decoders, and of resamplers.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "audio/decoder.h"
#include "audio/reader.h"
#include "audio/samples.h"
#include "core/cancel.h"
#include "core/failure.h"

namespace earshot::audio {

inline Failure TooLong(double max_seconds) {
	return {"audio_too_long", "the recording is longer than " + std::to_string(std::lround(max_seconds)) + " s"};
}

inline Failure OutOfMemory() { return {"out_of_memory", "no memory for decoding the recording"}; }

constexpr int kMaxChannels = 64;  // swresample's own limit, which it does not check everywhere
constexpr int kMinRate = 4000;
constexpr int kMaxRate = 768000;

/** Tolerance for the samples still in swresample's buffer, which are counted some milliseconds late, and for a header's
 * rounding. */
constexpr double kLengthToleranceSeconds = 0.05;

/** A recording being decoded from its start to its end. */
class Decoding {
public:
	virtual ~Decoding() = default;
	virtual Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) = 0;
	virtual AudioInfo Info() const = 0;
};

/** Resamples one channel to kSampleRate, piece by piece. */
class MonoResampler {
public:
	/** `rate`: not kSampleRate; `frames`: the total number of input frames. */
	static Expected<std::unique_ptr<MonoResampler>> Make(int rate, int64_t frames);
	virtual ~MonoResampler() = default;
	/** Appends the resampled samples; `last`: the input ends with these. */
	virtual Expected<Done> Feed(const float* samples, size_t count, bool last, Samples& out) = 0;
};

/** Detects the format of the recording. The reader must outlive the decoding. */
Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel& cancel);

}  // namespace earshot::audio
