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
	/** Where the samples begin, and how many bytes of them the header promises. */
	int64_t data = 0, promised = 0;
	/** RIFX: all numbers are big-endian. */
	bool big_endian = false;
	/** The header was written before the length was known, as programs do that write to a pipe. */
	bool is_endless = false;
};

/** What a WAV file says of itself, none of which need be true; none where it has no samples. */
std::optional<WavFile> ReadWav(const Reader& reader);

/** It holds PCM or floats, in a form that OpenWav reads. */
bool IsLinear(const WavFile& wav);

/** Whether it lacks some of what its header promises: 50 ms, since some programs count the header in. */
bool WavIsTruncated(const WavFile& wav, const Reader& reader);

/** PCM or floats, every channel as loud as the others, or `channel` alone where it is not -1. */
Expected<std::unique_ptr<Decoding>> OpenWav(
	const Reader& reader, const WavFile& wav, int channel, double max_seconds);

}  // namespace earshot::audio
