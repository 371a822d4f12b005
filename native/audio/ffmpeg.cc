// Every container that FFmpeg knows.
//
// The bytes are a stranger's. What keeps them in bounds: no protocol of FFmpeg's is reachable (own reader,
// io_open refuses, no playlist demuxer), only audio decoders may open, and probing, streams, channels, rates,
// useless packets and decoded seconds are all capped. A recording is decoded as it is read: hours of it take no more
// memory than minutes.
#include <cstdarg>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include "audio/decoder.h"
#include "audio/decoding.h"
#include "audio/reader.h"
#include "audio/resampler.h"
#include "audio/samples.h"
#include "audio/wav.h"
#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"
#include "core/log.h"

namespace earshot {

namespace audio {

namespace {

constexpr int kMaxStreams = 100;
constexpr int64_t kProbeBytes = 5 << 20;
constexpr int64_t kProbeMicroseconds = 10'000'000;
/** FFmpeg suspects another codec behind a WAV's PCM, as DTS hides there, and asks every demuxer about the first 32
 * packets, all over again whenever they have doubled: of a short recording that costs many times what decoding it
 * does. Four are 16 KB, in which DTS shows. */
constexpr int kWavProbePackets = 4;
/** Packets in a row that yield no sample before the rest is given up: a header may promise 2^32 of them. */
constexpr uint32_t kMaxBarrenPackets = 20'000;

/** Containers of audio, alone or beside video. No playlists, no scripts, no devices, nothing that names files. */
constexpr char kFormats[] =
	"aac,ac3,adx,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,ircam,latm,loas,matroska,"
	"mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,nistsphere,nut,ogg,oma,paf,rm,sox,tak,truehd,tta,voc,w64,wav,webm,wv,xwma";

struct FormatClose {
	void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
};
struct CodecFree {
	void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
struct IoFree {
	void operator()(AVIOContext* io) const {
		// FFmpeg may have exchanged the buffer it was given.
		av_freep(&io->buffer);
		avio_context_free(&io);
	}
};
struct PacketFree {
	void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};

std::string ErrorText(int code) {
	char text[AV_ERROR_MAX_STRING_SIZE] = {};
	av_strerror(code, text, sizeof text);
	return text;
}

/** Every audio decoder's name: given to FFmpeg so that probing opens no decoder of video or subtitles. */
const std::string& AudioDecoders() {
	static const std::string names = [] {
		std::string joined;
		void* state = nullptr;
		while (const AVCodec* codec = av_codec_iterate(&state)) {
			if (codec->type != AVMEDIA_TYPE_AUDIO || !av_codec_is_decoder(codec)) continue;
			if (!joined.empty()) joined += ',';
			joined += codec->name;
		}
		return joined;
	}();
	return names;
}

/** A name for probing alone, nothing is opened by it: with junk before the first frame the extension decides. */
std::string ProbeName(const std::string& path) {
	const size_t dot = path.rfind('.');
	const bool extension = dot != std::string::npos && path.size() - dot <= 8 && path.find('/', dot) == std::string::npos;
	return extension ? "recording" + path.substr(dot) : "";
}

/** What FFmpeg reads through; belongs to one decoding. */
struct Input {
	const Reader& reader;
	/** Of the call at hand. */
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

int RefuseOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) { return AVERROR(EPERM); }

/** What FFmpeg knows, which is nearly everything. */
class FfmpegDecoding final : public Decoding {
public:
	/** Decodes up to the first sample, so that what is no recording is refused here. */
	static Expected<std::unique_ptr<Decoding>> Open(
		const Reader& reader, const std::string& name, double max_seconds, const Cancel& cancel) {
		std::unique_ptr<FfmpegDecoding> decoding(new FfmpegDecoding(reader, max_seconds));
		decoding->input_.cancel = &cancel;
		if (auto opened = decoding->OpenStream(name, cancel); !opened) return opened.failure();
		while (!decoding->ended_ && decoding->samples_.size() == 0) {
			if (auto stepped = decoding->Step(cancel); !stepped) return stepped.failure();
		}
		return std::unique_ptr<Decoding>(std::move(decoding));
	}

	Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) override {
		input_.cancel = &cancel;
		size_t read = samples_.Take(into, count);
		while (read < count && !ended_) {
			if (auto stepped = Step(cancel); !stepped) return stepped.failure();
			read += samples_.Take(into + read, count - read);
		}
		return ReadAudio{read, skipped_packets_};
	}

	AudioInfo Info() const override {
		AudioInfo info;
		info.container = format_->iformat->name;
		info.codec = avcodec_get_name(codec_->codec_id);
		info.sample_rate = sample_rate_;
		info.channels = channels_;
		const AVStream& stream = *format_->streams[stream_index_];
		if (stream.duration != AV_NOPTS_VALUE) {
			info.declared_seconds = static_cast<double>(stream.duration) * av_q2d(stream.time_base);
		} else if (format_->duration != AV_NOPTS_VALUE) {
			info.declared_seconds = static_cast<double>(format_->duration) / AV_TIME_BASE;
		}
		return info;
	}

private:
	FfmpegDecoding(const Reader& reader, double max_seconds)
		: max_seconds_(max_seconds), max_samples_((max_seconds + kForgivenSeconds) * kSampleRate), input_{reader} {}

	Expected<Done> OpenStream(const std::string& name, const Cancel& cancel) {
		constexpr int kIoBytes = 64 << 10;
		auto* io_buffer = static_cast<uint8_t*>(av_malloc(kIoBytes));
		if (io_buffer == nullptr) return OutOfMemory();
		io_.reset(avio_alloc_context(io_buffer, kIoBytes, 0, &input_, Input::Read, nullptr, Input::Seek));
		if (!io_) {
			av_free(io_buffer);
			return OutOfMemory();
		}

		AVFormatContext* made = avformat_alloc_context();
		if (made == nullptr) return OutOfMemory();
		made->pb = io_.get();
		made->flags |= AVFMT_FLAG_CUSTOM_IO;
		made->io_open = RefuseOpen;
		made->max_streams = kMaxStreams;
		made->probesize = kProbeBytes;
		const bool is_wav = IsWav(input_.reader);
		if (is_wav) made->max_probe_packets = kWavProbePackets;
		made->max_analyze_duration = kProbeMicroseconds;
		made->skip_estimate_duration_from_pts = 1;
		made->format_whitelist = av_strdup(kFormats);
		made->codec_whitelist = av_strdup(AudioDecoders().c_str());
		made->protocol_whitelist = av_strdup("");
		AVDictionary* format_options = nullptr;
		// mov's references to other files; off by default, and wanted off.
		av_dict_set(&format_options, "enable_drefs", "0", 0);
		// Every other demuxer need not be asked.
		const AVInputFormat* known = is_wav ? av_find_input_format("wav") : nullptr;
		int result = avformat_open_input(&made, name.c_str(), known, &format_options);
		av_dict_free(&format_options);
		// On failure FFmpeg has freed the context already.
		if (cancel.Requested() && result < 0) return Cancelled();
		if (result < 0) return Unsupported("FFmpeg does not know this as a recording (" + ErrorText(result) + ")");
		format_.reset(made);

		result = avformat_find_stream_info(format_.get(), nullptr);
		if (cancel.Requested()) return Cancelled();
		if (result < 0) return Unsupported("no stream can be read (" + ErrorText(result) + ")");

		const AVCodec* decoder = nullptr;
		stream_index_ = av_find_best_stream(format_.get(), AVMEDIA_TYPE_AUDIO, -1, -1, &decoder, 0);
		if (stream_index_ == AVERROR_DECODER_NOT_FOUND) {
			return Unsupported("FFmpeg has no decoder for its audio stream");
		}
		if (stream_index_ < 0 || decoder == nullptr) {
			return Unsupported(std::string("it holds no audio stream (container ") + format_->iformat->name + ")");
		}
		for (unsigned i = 0; i < format_->nb_streams; i++) {
			if (static_cast<int>(i) != stream_index_) format_->streams[i]->discard = AVDISCARD_ALL;
		}
		const AVStream& stream = *format_->streams[stream_index_];

		codec_.reset(avcodec_alloc_context3(decoder));
		if (!codec_) return OutOfMemory();
		if (avcodec_parameters_to_context(codec_.get(), stream.codecpar) < 0) {
			return Unsupported("bad codec parameters");
		}
		codec_->pkt_timebase = stream.time_base;
		codec_->thread_count = 1;
		codec_->max_samples = kMaxRate * 10;
		result = avcodec_open2(codec_.get(), decoder, nullptr);
		if (result < 0) {
			return Unsupported(std::string(decoder->name) + " cannot be decoded (" + ErrorText(result) + ")");
		}

		packet_.reset(av_packet_alloc());
		frame_.reset(av_frame_alloc());
		if (!packet_ || !frame_) return OutOfMemory();
		return Done{};
	}

	/** Decodes the next packet, or what is left after the last one. */
	Expected<Done> Step(const Cancel& cancel) {
		if (cancel.Requested()) return Cancelled();
		bool at_end = av_read_frame(format_.get(), packet_.get()) < 0;
		if (!at_end && packet_->stream_index != stream_index_) {
			av_packet_unref(packet_.get());
			return Done{};
		}
		int result = avcodec_send_packet(codec_.get(), at_end ? nullptr : packet_.get());
		av_packet_unref(packet_.get());
		if (result < 0 && !at_end) skipped_packets_++;

		const uint64_t before = decoded_;
		while ((result = avcodec_receive_frame(codec_.get(), frame_.get())) >= 0) {
			if (sample_rate_ == 0) {
				sample_rate_ = frame_->sample_rate;
				channels_ = frame_->ch_layout.nb_channels;
			}
			if (Feed(frame_.get())) {
				source_seconds_ += static_cast<double>(frame_->nb_samples) / frame_->sample_rate;
			} else {
				skipped_packets_++;
			}
			av_frame_unref(frame_.get());
			if (static_cast<double>(decoded_) > max_samples_) return TooLong(max_seconds_);
		}
		if (result != AVERROR(EAGAIN) && result != AVERROR_EOF) skipped_packets_++;
		barren_ = decoded_ > before ? 0 : barren_ + 1;
		if (barren_ > kMaxBarrenPackets) at_end = true;
		return at_end ? Finish(cancel) : Done{};
	}

	bool Feed(const AVFrame* frame) {
		const size_t before = samples_.size();
		const bool used = resampler_.Feed(frame, samples_);
		decoded_ += samples_.size() - before;
		return used;
	}

	Expected<Done> Finish(const Cancel& cancel) {
		// A read that was cancelled looks like the end of the file.
		if (cancel.Requested()) return Cancelled();
		ended_ = true;
		Feed(nullptr);
		if (static_cast<double>(decoded_) > max_samples_) return TooLong(max_seconds_);
		if (decoded_ == 0 && source_seconds_ > 0) decoded_ = samples_.AppendSilence(source_seconds_);
		if (decoded_ == 0) {
			return Unsupported(std::string("its ") + avcodec_get_name(codec_->codec_id) +
				" stream decodes to no sample (" + std::to_string(skipped_packets_) + " packets could not be decoded)");
		}
		return Done{};
	}

	const double max_seconds_, max_samples_;
	// Each is declared before what points to it, hence freed after.
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

/** A WAV that holds one channel, and all the samples that its header promises. */
bool IsPlain(const WavFile& wav, const Reader& reader) {
	return wav.format.channels == 1 && wav.promised > 0 && wav.data + wav.promised <= reader.size();
}

}  // namespace

/** FFmpeg looks for other codecs in what a WAV calls PCM, since DTS hides there, in two channels: that costs many
 * times what reading a plain one does. */
Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel& cancel) {
	const auto wav = ReadWav(reader);
	if (wav && IsPlain(*wav, reader)) return OpenWav(reader, *wav, max_seconds);
	return FfmpegDecoding::Open(reader, ProbeName(source.path), max_seconds, cancel);
}

}  // namespace audio

namespace {

void LogFfmpeg(void* context, int level, const char* form, va_list arguments) {
	// A stranger's broken file is no error of this server: all of it is for the curious.
	if (level > AV_LOG_WARNING) return;
	char line[1024];
	int print_prefix = 1;
	const int length = av_log_format_line2(context, level, form, arguments, line, sizeof line, &print_prefix);
	if (length > 0) Log(LogLevel::kDebug, std::string("ffmpeg: ") + line);
}

std::string VersionText(unsigned version) {
	return std::to_string(AV_VERSION_MAJOR(version)) + '.' + std::to_string(AV_VERSION_MINOR(version)) + '.' +
		std::to_string(AV_VERSION_MICRO(version));
}

}  // namespace

AudioVersions GetAudioVersions() {
	return {VersionText(avformat_version()), VersionText(avcodec_version()), VersionText(swresample_version()),
		avformat_license()};
}

void InitAudio() {
	static std::once_flag once;
	std::call_once(once, [] { av_log_set_callback(LogFfmpeg); });
}

}  // namespace earshot
