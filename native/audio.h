// A recording in any container → mono f32 PCM at 16 kHz.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "engine.h"
#include "failure.h"

namespace earshot {

struct AudioVersions {
	std::string avformat, avcodec, swresample, license;
};

/** Grows by realloc, so that hours of audio are never copied to grow, and is handed to JavaScript as it is. */
class SampleBuffer {
public:
	/** Room for `count` more samples at the end, or nullptr when memory is short. */
	float* Extend(size_t count);
	void Commit(size_t count) { size_ += count; }
	/** Gives back what is reserved beyond the size. */
	void Shrink();

	float* data() { return data_.get(); }
	size_t size() const { return size_; }
	/** The caller frees it with std::free. */
	float* Release() { return data_.release(); }

private:
	struct Free {
		void operator()(float* data) const { std::free(data); }
	};
	std::unique_ptr<float, Free> data_;
	size_t size_ = 0;
	size_t capacity_ = 0;
};

struct DecodedAudio {
	SampleBuffer samples;
	std::string container, codec;
	int sample_rate = 0;
	int channels = 0;
	uint32_t skipped_packets = 0;
};

/** Bytes in memory, or else the file at `path`. Never both. The bytes outlive the decoding. */
struct AudioSource {
	const uint8_t* bytes = nullptr;
	size_t size = 0;
	std::string path;
};

/** Any thread, as many at once as wanted. */
Expected<DecodedAudio> DecodeAudio(const AudioSource& source, double max_seconds, const Cancel& cancel);

AudioVersions GetAudioVersions();

/** Once in a process: FFmpeg's log lines go to Log. */
void InitAudio();

}  // namespace earshot
