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
	/** 1 for PCM, 3 for floats, or what ReadWav refuses. */
	int tag = 0;
	int channels = 0, rate = 0, bits = 0;
	/** Bytes of a frame. */
	int stride = 0;
};

struct WavFile {
	WavFormat format;
	/** Where the samples begin, and how many bytes of them the header promises. */
	int64_t data = 0, promised = 0;
};

/** What a WAV file says of itself, none of which need be true; none where it holds anything but PCM or floats. */
std::optional<WavFile> ReadWav(const Reader& reader);

/** PCM or floats, every channel as loud as the others. */
Expected<std::unique_ptr<Decoding>> OpenWav(const Reader& reader, const WavFile& wav, double max_seconds);

}  // namespace earshot::audio
