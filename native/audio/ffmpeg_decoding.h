// Decodes every container that FFmpeg knows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include "audio/decoding.h"
#include "audio/reader.h"
#include "audio/resampler.h"
#include "audio/samples.h"
#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"

namespace earshot::audio {

struct FormatClose {
	void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
};
struct CodecFree {
	void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
struct IoFree {
	void operator()(AVIOContext* io) const {
		// FFmpeg may have replaced the buffer.
		av_freep(&io->buffer);
		avio_context_free(&io);
	}
};
struct PacketFree {
	void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};

/** FFmpeg's read and seek callbacks over a Reader; used by one decoding. */
struct Input {
	const Reader& reader;
	/** Of the current call. */
	const Cancel* cancel = nullptr;
	int64_t position = 0;

	static int Read(void* opaque, uint8_t* into, int count) {
		auto& input = *static_cast<Input*>(opaque);
		if (input.cancel->Requested()) return AVERROR_EXIT;
		const int64_t got = input.reader.Read(input.position, into, count);
		if (got < 0) return AVERROR(EIO);
		if (got == 0) return AVERROR_EOF;
		input.position += got;
		return static_cast<int>(got);
	}

	static int64_t Seek(void* opaque, int64_t offset, int whence) {
		auto& input = *static_cast<Input*>(opaque);
		const int64_t size = input.reader.size();
		if ((whence & AVSEEK_SIZE) != 0) return size;
		int64_t base = 0;
		if ((whence & 3) == SEEK_CUR) base = input.position;
		if ((whence & 3) == SEEK_END) base = size;
		if (offset < -base || offset > size - base) return AVERROR(EINVAL);
		return input.position = base + offset;
	}
};

class FfmpegDecoding final : public Decoding {
public:
	/** Decodes up to the first sample, so that anything but a recording is refused here. */
	static Expected<std::unique_ptr<Decoding>> Open(
		const Reader& reader, const std::string& name, double max_seconds, const Cancel& cancel);

	Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) override;

	AudioInfo Info() const override;

private:
	FfmpegDecoding(const Reader& reader, double max_seconds)
		: max_seconds_(max_seconds), max_samples_((max_seconds + kDurationToleranceSeconds) * kSampleRate), input_{reader} {}

	Expected<Done> OpenContainer(const std::string& name, const Cancel& cancel);
	/** Selects the audio stream. */
	Expected<Done> OpenStream();
	Expected<Done> OpenCodec(const AVStream& stream, const AVCodec& decoder);

	/** Decodes the next packet; after the last one, flushes the decoder. */
	Expected<Done> Step(const Cancel& cancel);

	bool Feed(const AVFrame* frame);

	Expected<Done> Finish(const Cancel& cancel);

	const double max_seconds_, max_samples_;
	// Declared before what points to them, so freed after it.
	Input input_;
	std::unique_ptr<AVIOContext, IoFree> io_;
	std::unique_ptr<AVFormatContext, FormatClose> format_;
	std::unique_ptr<AVCodecContext, CodecFree> codec_;
	std::unique_ptr<AVPacket, PacketFree> packet_;
	std::unique_ptr<AVFrame, FrameFree> frame_;
	Resampler resampler_;
	Samples samples_;
	int stream_index_ = -1;
	int sample_rate_ = 0, channels_ = 0;
	uint32_t skipped_packets_ = 0, barren_ = 0;
	/** Samples at kSampleRate so far. */
	uint64_t decoded_ = 0;
	double source_seconds_ = 0;
	bool ended_ = false;
};

}  // namespace earshot::audio
