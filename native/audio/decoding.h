// The interface of decoders, and what they share.
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

/** Tolerance of length limits: swresample buffers some milliseconds, and headers round. */
constexpr double kDurationToleranceSeconds = 0.05;

/** Decodes one recording from start to end. */
class Decoding {
public:
	virtual ~Decoding() = default;
	virtual Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) = 0;
	virtual AudioInfo Info() const = 0;
};

/** Resamples one channel to kSampleRate, block by block. */
class MonoResampler {
public:
	/** `rate` differs from kSampleRate; `frames`: the total number to come. */
	static Expected<std::unique_ptr<MonoResampler>> Make(int rate, int64_t frames);
	virtual ~MonoResampler() = default;
	/** Appends the samples that these complete; `last`: no more follow. */
	virtual Expected<Done> Feed(const float* samples, size_t count, bool last, Samples& out) = 0;
};

/** Detects the format. The reader must outlive the decoding. */
Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel& cancel);

}  // namespace earshot::audio
