// The bytes are untrusted. They cannot reach any of FFmpeg's protocols (own reader, io_open refuses, no playlist
// demuxer), only audio decoders may open, and probing, streams, channels, rates, useless packets and decoded seconds are
// all limited. A recording is decoded as it is read: hours of it take no more memory than minutes.
#include "audio/ffmpeg_decoding.h"

#include <utility>

#include "audio/wav.h"

namespace earshot::audio {

namespace {

constexpr int kMaxStreams = 100;
constexpr int64_t kProbeBytes = 5 << 20;
constexpr int64_t kProbeMicroseconds = 10'000'000;
/** FFmpeg searches a WAV's PCM for hidden DTS: it probes the first 32 packets with every demuxer, again each time their
 * number doubles, which takes many times as long as decoding a short recording. Four packets (16 KB) suffice for DTS. */
constexpr int kWavProbePackets = 4;
/** Consecutive packets without a sample after which decoding stops: a header may declare 2^32 of them. */
constexpr uint32_t kMaxBarrenPackets = 20'000;

/** Containers of audio, with or without video. No playlists, scripts or devices, nothing that refers to other files. */
constexpr char kFormats[] =
	"aac,ac3,adx,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,ircam,latm,loas,matroska,"
	"mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,nistsphere,nut,ogg,oma,paf,rm,sox,tak,truehd,tta,voc,w64,wav,webm,wv,xwma";

std::string ErrorText(int code) {
	char text[AV_ERROR_MAX_STRING_SIZE] = {};
	av_strerror(code, text, sizeof text);
	return text;
}

/** Names of all audio decoders: FFmpeg's whitelist, so that probing opens no video or subtitle decoder. */
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

int RefuseOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) { return AVERROR(EPERM); }

}  // namespace

Expected<std::unique_ptr<Decoding>> FfmpegDecoding::Open(
	const Reader& reader, const std::string& name, double max_seconds, const Cancel& cancel) {
	std::unique_ptr<FfmpegDecoding> decoding(new FfmpegDecoding(reader, max_seconds));
	decoding->input_.cancel = &cancel;
	if (auto opened = decoding->OpenContainer(name, cancel); !opened) return opened.failure();
	if (auto opened = decoding->OpenStream(); !opened) return opened.failure();
	while (!decoding->ended_ && decoding->samples_.size() == 0) {
		if (auto stepped = decoding->Step(cancel); !stepped) return stepped.failure();
	}
	return std::unique_ptr<Decoding>(std::move(decoding));
}

Expected<ReadAudio> FfmpegDecoding::Read(float* into, size_t count, const Cancel& cancel) {
	input_.cancel = &cancel;
	size_t read = samples_.Take(into, count);
	while (read < count && !ended_) {
		if (auto stepped = Step(cancel); !stepped) return stepped.failure();
		read += samples_.Take(into + read, count - read);
	}
	return ReadAudio{read, skipped_packets_};
}

AudioInfo FfmpegDecoding::Info() const {
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

Expected<Done> FfmpegDecoding::OpenContainer(const std::string& name, const Cancel& cancel) {
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
	// References of mov to other files: off by default, and must stay off.
	av_dict_set(&format_options, "enable_drefs", "0", 0);
	// Known: skip probing the other demuxers.
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
	return Done{};
}

Expected<Done> FfmpegDecoding::OpenStream() {
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
	return OpenCodec(*format_->streams[stream_index_], *decoder);
}

Expected<Done> FfmpegDecoding::OpenCodec(const AVStream& stream, const AVCodec& decoder) {
	codec_.reset(avcodec_alloc_context3(&decoder));
	if (!codec_) return OutOfMemory();
	if (avcodec_parameters_to_context(codec_.get(), stream.codecpar) < 0) {
		return Unsupported("bad codec parameters");
	}
	codec_->pkt_timebase = stream.time_base;
	codec_->thread_count = 1;
	codec_->max_samples = kMaxRate * 10;
	const int result = avcodec_open2(codec_.get(), &decoder, nullptr);
	if (result < 0) {
		return Unsupported(std::string(decoder.name) + " cannot be decoded (" + ErrorText(result) + ")");
	}

	packet_.reset(av_packet_alloc());
	frame_.reset(av_frame_alloc());
	if (!packet_ || !frame_) return OutOfMemory();
	return Done{};
}

Expected<Done> FfmpegDecoding::Step(const Cancel& cancel) {
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

bool FfmpegDecoding::Feed(const AVFrame* frame) {
	const size_t before = samples_.size();
	const bool used = resampler_.Feed(frame, samples_);
	decoded_ += samples_.size() - before;
	return used;
}

Expected<Done> FfmpegDecoding::Finish(const Cancel& cancel) {
	// A cancelled read looks like the end of the file.
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

}  // namespace earshot::audio
