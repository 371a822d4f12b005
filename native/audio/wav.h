// WAV, without FFmpeg.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "audio/decoding.h"
#include "audio/reader.h"
#include "core/failure.h"

namespace earshot::audio {

bool IsWav(const Reader& reader);

struct WavFormat {
	/** 1 for PCM, 3 for floats. */
	int tag = 0;
	int channels = 0, rate = 0, bits = 0;
	/** Bytes of a frame, and of a second. */
	int stride = 0, byte_rate = 0;
};

struct WavFile {
	WavFormat format;
	/** Where the samples begin, and the number of bytes that the header declares. */
	int64_t data = 0, promised = 0;
	/** RIFX: all numbers are big-endian. */
	bool big_endian = false;
	/** The header was written before the length was known, for example to a pipe. */
	bool is_endless = false;
};

/** Reads the header, whose values may be wrong; none if the file has no samples. */
std::optional<WavFile> ReadWav(const Reader& reader);

/** Whether it has PCM or floats, in a form that OpenWav reads. */
bool IsLinear(const WavFile& wav);

/** Whether it lacks more than 50 ms of the declared samples; some programs include the header in the declared size. */
bool WavIsTruncated(const WavFile& wav, const Reader& reader);

/** Opens PCM or floats: all channels with equal weight, or only `channel` if it is not -1. */
Expected<std::unique_ptr<Decoding>> OpenWav(
	const Reader& reader, const WavFile& wav, int channel, double max_seconds);

}  // namespace earshot::audio
