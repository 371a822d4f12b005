// Decodes a recording in any container to mono f32 PCM at 16 kHz, piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "core/cancel.h"
#include "core/failure.h"

namespace earshot {

struct AudioVersions {
	std::string avformat, avcodec, swresample, license;
};

/** Either bytes in memory, which must outlive the reader, or the file at `path`. */
struct AudioSource {
	const uint8_t* bytes = nullptr;
	size_t size = 0;
	std::string path;
};

struct AudioInfo {
	std::string container, codec;
	int sample_rate = 0;
	int channels = 0;
	/** Declared by the container, or estimated from its size; NaN if unknown. Often wrong: nothing may depend on it. */
	double declared_seconds = std::numeric_limits<double>::quiet_NaN();
};

struct ReadAudio {
	size_t count = 0;
	/** Packets and frames skipped since the start because they could not be decoded. */
	uint32_t skipped_packets = 0;
};

/** One recording, decoded as it is read. Any thread, one call at a time. Cannot be used after a failure. */
class AudioReader {
public:
	static std::shared_ptr<AudioReader> Make(AudioSource source, double max_seconds);
	virtual ~AudioReader() = default;
	/** Called once, before Read. Decodes up to the first sample. */
	virtual Expected<AudioInfo> Open(const Cancel& cancel) = 0;
	/** Writes `count` samples, or fewer at the end of the recording. */
	virtual Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) = 0;
};

AudioVersions GetAudioVersions();

/** Sends FFmpeg's log lines to Log. Repeated calls do nothing. */
void InitAudio();

}  // namespace earshot
