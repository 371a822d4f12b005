// Decodes any format that FFmpeg supports.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include "audio/decoding.h"
#include "audio/ffmpeg/frames.h"
#include "audio/ffmpeg/timeline.h"
#include "audio/reader.h"
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
struct FrameFree {
	void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};

/** FFmpeg's access to the bytes; belongs to one decoding. */
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
	/** Decodes up to the first sample, so that other files are refused here. */
	static Expected<std::unique_ptr<Decoding>> Open(const Reader& reader, const AudioSource& source, double max_seconds,
		const Cancel& cancel);

	Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) override;

	AudioInfo Info() const override;

private:
	FfmpegDecoding(const Reader& reader, int channel, double max_seconds)
		: max_seconds_(max_seconds),
		  max_samples_((max_seconds + kLengthToleranceSeconds) * kSampleRate),
		  input_{reader},
		  mixer_(channel) {}

	Expected<Done> OpenContainer(const std::string& name, const Cancel& cancel);
	/** Chooses the stream that is decoded. */
	Expected<Done> OpenStream();
	Expected<Done> OpenCodec(const AVStream& stream, const AVCodec& decoder);

	/** Does one step: sends a packet to the decoder, takes a frame from it, or adds a second of silence. */
	Expected<Done> Step(const Cancel& cancel);
	/** Sends the next packet to the decoder, or the end of the stream. */
	Expected<Done> SendPacket(const Cancel& cancel);
	/** Finds the frame's position, and takes it, or holds it until the silence before it is written. */
	Expected<Done> PlaceFrame();
	Expected<Done> TakeFrame();
	Expected<Done> TakeSilence();
	/** Counts the samples that were added since there were `before`. */
	Expected<Done> Count(size_t before);
	Expected<Done> Finish();

	const AVStream& Stream() const { return *format_->streams[stream_index_]; }
	/** The declared end of the audio, on the time scale of the recording; NaN if unknown. */
	double DeclaredEnd() const;
	/** Whether the file is cut off before the end of its recording. To be called at the end. */
	bool IsTruncated() const;

	const double max_seconds_, max_samples_;
	// The order matters: each member is declared before those that point to it, and so destroyed after them.
	Input input_;
	std::unique_ptr<AVIOContext, IoFree> io_;
	std::unique_ptr<AVFormatContext, FormatClose> format_;
	std::unique_ptr<AVCodecContext, CodecFree> codec_;
	std::unique_ptr<AVPacket, PacketFree> packet_;
	std::unique_ptr<AVFrame, FrameFree> frame_;
	std::unique_ptr<Timeline> timeline_;
	FrameMixer mixer_;
	Samples samples_;
	int stream_index_ = -1;
	/** The times of packets are from the file, not computed by FFmpeg. */
	bool has_times_ = false;
	int sample_rate_ = 0, channels_ = 0;
	uint32_t skipped_packets_ = 0, empty_packets_ = 0;
	/** Samples at kSampleRate so far. */
	uint64_t decoded_ = 0;
	double source_seconds_ = 0;
	/** Seconds of silence before the held frame. */
	double silence_ = 0;
	bool holds_frame_ = false;
	/** The last packet was incomplete. */
	bool last_is_broken_ = false;
	bool drained_ = false, ended_ = false, truncated_ = false;
};

}  // namespace earshot::audio
