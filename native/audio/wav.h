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
	/** 1 = PCM, 3 = float; ReadWav refuses others. */
	int tag = 0;
	int channels = 0, rate = 0, bits = 0;
	/** Bytes per frame. */
	int stride = 0;
};

struct WavFile {
	WavFormat format;
	/** Offset of the samples, and their size in bytes as the header declares it. */
	int64_t data = 0, declared = 0;
};

/** The file's header, which may be wrong; nullopt unless it holds PCM or floats. */
std::optional<WavFile> ReadWav(const Reader& reader);

/** Decodes PCM or floats, channels averaged. */
Expected<std::unique_ptr<Decoding>> OpenWav(const Reader& reader, const WavFile& wav, double max_seconds);

}  // namespace earshot::audio
