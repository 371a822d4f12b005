// A recording in any container → mono f32 PCM at 16 kHz, a stretch at a time.
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

/** Bytes in memory, or else the file at `path`. Never both. The bytes outlive the reader. */
struct AudioSource {
	const uint8_t* bytes = nullptr;
	size_t size = 0;
	std::string path;
	/** The only channel to decode; -1: all, mixed. */
	int channel = -1;
};

struct AudioInfo {
	std::string container, codec;
	int sample_rate = 0;
	int channels = 0;
	/** The end declared by the container, or estimated from its size; NaN if unknown. It may be wrong. */
	double declared_seconds = std::numeric_limits<double>::quiet_NaN();
};

struct ReadAudio {
	size_t count = 0;
	/** Packets and frames skipped since the start. */
	uint32_t skipped_packets = 0;
	/** At the end of the recording: whether the file is cut off before the end of its recording. */
	bool truncated = false;
};

/** One recording, decoded as it is read. Any thread, one call at a time; unusable after a failure. */
class AudioReader {
public:
	static std::shared_ptr<AudioReader> Make(AudioSource source, double max_seconds);
	virtual ~AudioReader() = default;
	/** Once, before Read. Finds the first sample. */
	virtual Expected<AudioInfo> Open(const Cancel& cancel) = 0;
	/** Writes `count` samples; fewer only at the end of the recording. */
	virtual Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) = 0;
};

AudioVersions GetAudioVersions();

/** Once in a process: FFmpeg's log lines go to Log. */
void InitAudio();

}  // namespace earshot
