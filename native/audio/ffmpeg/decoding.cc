// The bytes are untrusted. FFmpeg cannot reach any of its protocols (own reader, io_open refuses, no playlist demuxer),
// only audio decoders may open, and probing, streams, channels, rates, useless packets and decoded seconds are all
// limited. A recording is decoded as it is read, so hours take no more memory than minutes.
#include "audio/ffmpeg/decoding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

extern "C" {
#include <libavutil/avstring.h>
}

#include "audio/ffmpeg/truncation.h"
#include "audio/wav.h"

namespace earshot::audio {

namespace {

constexpr int kMaxStreams = 100;
constexpr int64_t kProbeBytes = 5 << 20;
constexpr int64_t kProbeMicroseconds = 10'000'000;
/** FFmpeg suspects another codec behind a WAV's PCM, as DTS hides there, and asks every demuxer about the first 32
 * packets, all over again whenever they have doubled: for a short recording that costs many times more than decoding
 * it. Four packets are 16 KB, enough to detect DTS. */
constexpr int kWavProbePackets = 4;
/** Packets in a row that yield no sample before the rest is given up: a header may promise 2^32 of them. */
constexpr uint32_t kMaxEmptyPackets = 20'000;

/** Containers of audio, alone or beside video. No playlists, no scripts, no devices, nothing that names files. */
constexpr char kFormats[] =
	"aac,ac3,adx,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,ircam,latm,loas,matroska,"
	"mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,nistsphere,nut,ogg,oma,paf,rm,sox,tak,truehd,tta,voc,w64,wav,webm,wv,xwma";

/** Containers whose packets have times of their own. Elsewhere FFmpeg counts them up, in part from sizes. */
constexpr char kTimestampedContainers[] = "asf,flv,matroska,mov,mpeg,mpegts,nut,ogg,webm";
/** Containers whose length FFmpeg determines by reading the file, so that it does not show truncation. */
constexpr char kScannedContainers[] = "asf,avi,caf,matroska,mpeg,mpegts,ogg,webm";
/** A recording whose audio begins later than this was cut out of a longer one. */
constexpr double kLatestStartSeconds = 600;
/** Delays of encoders and the padding of the last frame. */
constexpr double kPaddingSeconds = 0.3;

/** A file name used only for probing, not for opening: if junk precedes the first frame, the extension decides. */
std::string ProbeName(const std::string& path) {
	const size_t dot = path.rfind('.');
	const bool extension = dot != std::string::npos && path.size() - dot <= 8 && path.find('/', dot) == std::string::npos;
	return extension ? "recording" + path.substr(dot) : "";
}

/** Whether one of a container's names, which are separated by commas, is among these. */
bool IsAmong(const AVInputFormat& format, const char* names) {
	const std::string own = format.name;
	for (size_t at = 0; at < own.size();) {
		const size_t comma = std::min(own.find(',', at), own.size());
		if (av_match_name(own.substr(at, comma - at).c_str(), names) != 0) return true;
		at = comma + 1;
	}
	return false;
}

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

int RefuseOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) { return AVERROR(EPERM); }

}  // namespace

Expected<std::unique_ptr<Decoding>> FfmpegDecoding::Open(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel& cancel) {
	std::unique_ptr<FfmpegDecoding> decoding(new FfmpegDecoding(reader, source.channel, max_seconds));
	decoding->input_.cancel = &cancel;
	if (auto opened = decoding->OpenContainer(ProbeName(source.path), cancel); !opened) return opened.failure();
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
	return ReadAudio{read, skipped_packets_, ended_ && truncated_};
}

AudioInfo FfmpegDecoding::Info() const {
	AudioInfo info;
	info.container = format_->iformat->name;
	info.codec = avcodec_get_name(codec_->codec_id);
	info.sample_rate = sample_rate_;
	info.channels = channels_;
	info.declared_seconds = DeclaredEnd();
	if (std::isnan(info.declared_seconds) && format_->duration != AV_NOPTS_VALUE) {
		info.declared_seconds = static_cast<double>(format_->duration) / AV_TIME_BASE;
	}
	return info;
}

double FfmpegDecoding::DeclaredEnd() const {
	const AVStream& stream = Stream();
	if (stream.duration == AV_NOPTS_VALUE) return std::numeric_limits<double>::quiet_NaN();
	int64_t end = stream.duration;
	double origin = 0;
	// The length that these containers declare counts from the start of the file.
	const bool from_start = IsAmong(*format_->iformat, "asf,flv");
	if (has_times_ && !from_start && stream.start_time != AV_NOPTS_VALUE && std::isfinite(timeline_->origin())) {
		end += stream.start_time;
		origin = timeline_->origin();
	}
	return static_cast<double>(end) * av_q2d(stream.time_base) - origin;
}

bool FfmpegDecoding::IsTruncated() const {
	const AVInputFormat& container = *format_->iformat;
	if (IsAmong(container, "matroska,webm")) return MatroskaIsTruncated(input_.reader);
	if (IsAmong(container, "ogg")) return OggIsTruncated(input_.reader);
	if (const auto wav = ReadWav(input_.reader)) return WavIsTruncated(*wav, input_.reader);
	const bool declared = format_->duration_estimation_method == AVFMT_DURATION_FROM_STREAM &&
		!IsAmong(container, kScannedContainers) && std::isfinite(DeclaredEnd());
	const double missing = declared ? DeclaredEnd() - timeline_->end() : 0;
	return missing > kPaddingSeconds || (last_is_broken_ && !(declared && missing <= 0));
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
	// References from mov to other files must stay off, which is also the default.
	av_dict_set(&format_options, "enable_drefs", "0", 0);
	// For a WAV no other demuxer needs to be tried.
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
	const AVInputFormat& container = *format_->iformat;
	has_times_ = IsAmong(container, kTimestampedContainers);
	// Players show the start of the file (of all its streams) as 0.
	double origin = format_->start_time == AV_NOPTS_VALUE
		? std::numeric_limits<double>::quiet_NaN()
		: static_cast<double>(format_->start_time) / AV_TIME_BASE;
	// These containers begin at 0. If video in a codec that is not decoded here precedes the audio, FFmpeg takes the
	// start of the audio for the start. But a piece cut out of a live stream keeps its times, and an encoder's delay,
	// which is removed from the audio, does not count.
	if (IsAmong(container, "matroska,mov") && origin > kPaddingSeconds && origin < kLatestStartSeconds) origin = 0;
	const bool broadcast = IsAmong(container, "mpeg,mpegts");
	timeline_ = std::make_unique<Timeline>(origin, broadcast, max_seconds_);
	return OpenCodec(Stream(), *decoder);
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
	if (silence_ > 0) return TakeSilence();
	if (holds_frame_) return TakeFrame();
	const int result = avcodec_receive_frame(codec_.get(), frame_.get());
	if (result >= 0) return PlaceFrame();
	if (result != AVERROR(EAGAIN) && result != AVERROR_EOF) skipped_packets_++;
	return drained_ ? Finish() : SendPacket(cancel);
}

Expected<Done> FfmpegDecoding::SendPacket(const Cancel& cancel) {
	if (av_read_frame(format_.get(), packet_.get()) < 0 || empty_packets_ > kMaxEmptyPackets) {
		// A read that was cancelled looks like the end of the file.
		if (cancel.Requested()) return Cancelled();
		av_packet_unref(packet_.get());
		drained_ = true;
		avcodec_send_packet(codec_.get(), nullptr);
		return Done{};
	}
	if (packet_->stream_index == stream_index_) {
		const bool is_mpeg = codec_->codec_id == AV_CODEC_ID_MP3 || codec_->codec_id == AV_CODEC_ID_MP2;
		last_is_broken_ = (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0 ||
			(is_mpeg && IsShortMpegFrame(packet_->data, static_cast<size_t>(packet_->size)));
		empty_packets_++;
		if (avcodec_send_packet(codec_.get(), packet_.get()) < 0) {
			skipped_packets_++;
			// Bytes after the last frame of an MP3 are usually a tag rather than part of a frame.
			last_is_broken_ = last_is_broken_ || !is_mpeg;
		}
	}
	av_packet_unref(packet_.get());
	return Done{};
}

Expected<Done> FfmpegDecoding::PlaceFrame() {
	if (sample_rate_ == 0) {
		sample_rate_ = frame_->sample_rate;
		channels_ = frame_->ch_layout.nb_channels;
	}
	if (!has_times_ || frame_->pts == AV_NOPTS_VALUE) return TakeFrame();
	const double time = static_cast<double>(frame_->pts) * av_q2d(Stream().time_base);
	const auto [silence, overlaps] = timeline_->Next(time);
	// Only silent frames are dropped to make up for overlapping times, so that no speech is lost.
	if (overlaps && IsSilent(*frame_)) {
		av_frame_unref(frame_.get());
		return Done{};
	}
	silence_ = silence;
	holds_frame_ = true;
	return Done{};
}

Expected<Done> FfmpegDecoding::TakeFrame() {
	holds_frame_ = false;
	const size_t before = samples_.size();
	if (mixer_.Feed(*frame_, samples_)) {
		const double seconds = static_cast<double>(frame_->nb_samples) / frame_->sample_rate;
		source_seconds_ += seconds;
		timeline_->Advance(seconds);
	} else {
		skipped_packets_++;
	}
	av_frame_unref(frame_.get());
	return Count(before);
}

Expected<Done> FfmpegDecoding::TakeSilence() {
	const double seconds = std::min(silence_, 1.0);
	const size_t before = samples_.size();
	if (!mixer_.FeedSilence(*frame_, seconds, samples_)) return OutOfMemory();
	timeline_->Advance(seconds);
	silence_ -= seconds;
	return Count(before);
}

Expected<Done> FfmpegDecoding::Count(size_t before) {
	const size_t more = samples_.size() - before;
	decoded_ += more;
	if (more > 0) empty_packets_ = 0;
	if (static_cast<double>(decoded_) > max_samples_) return TooLong(max_seconds_);
	return Done{};
}

Expected<Done> FfmpegDecoding::Finish() {
	ended_ = true;
	const size_t before = samples_.size();
	mixer_.Flush(samples_);
	samples_.End();
	if (auto counted = Count(before); !counted) return counted;
	if (decoded_ == 0 && source_seconds_ > 0) {
		decoded_ = samples_.AppendSilence(source_seconds_);
		samples_.End();
	}
	if (decoded_ == 0) {
		return Unsupported(std::string("its ") + avcodec_get_name(codec_->codec_id) +
			" stream decodes to no sample (" + std::to_string(skipped_packets_) + " packets could not be decoded)");
	}
	truncated_ = IsTruncated();
	return Done{};
}

}  // namespace earshot::audio
