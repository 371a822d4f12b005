// Decoding. With FFmpeg every container it knows; without (EARSHOT_FFMPEG=off) WAV.
//
// The bytes are a stranger's. What keeps them in bounds: no protocol of FFmpeg's is reachable (own reader,
// io_open refuses, no playlist demuxer), only audio decoders may open, and probing, streams, channels, rates,
// useless packets and decoded seconds are all capped.
#include "audio.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numbers>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef EARSHOT_FFMPEG
extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
}
#endif

namespace earshot {

float* SampleBuffer::Extend(size_t count) {
	if (size_ + count > capacity_) {
		// A minute at least, then half as much again: realloc moves pages of large blocks, not bytes.
		const size_t capacity = std::max({size_ + count, capacity_ + capacity_ / 2, size_t{60} * kSampleRate});
		auto* data = static_cast<float*>(std::realloc(data_.get(), capacity * sizeof(float)));
		if (data == nullptr) return nullptr;
		(void)data_.release();
		data_.reset(data);
		capacity_ = capacity;
	}
	return data_.get() + size_;
}

void SampleBuffer::Shrink() {
	if (size_ == 0 || size_ == capacity_) return;
	auto* data = static_cast<float*>(std::realloc(data_.get(), size_ * sizeof(float)));
	if (data == nullptr) return;
	(void)data_.release();
	data_.reset(data);
	capacity_ = size_;
}

namespace {

Failure Unsupported(std::string text) { return {"audio_unsupported", std::move(text)}; }

Failure TooLong(double max_seconds) {
	return {"audio_too_long", "the recording is longer than " + std::to_string(std::lround(max_seconds)) + " s"};
}

Failure OutOfMemory() { return {"out_of_memory", "no memory for the decoded recording"}; }

/** Reads bytes from memory or from a regular file, by position. */
class Reader {
public:
	static Expected<std::unique_ptr<Reader>> Open(const AudioSource& source) {
		auto reader = std::make_unique<Reader>();
		if (source.path.empty()) {
			reader->bytes_ = source.bytes;
			reader->size_ = static_cast<int64_t>(source.size);
			return reader;
		}
		if (source.path.find('\0') != std::string::npos) return Unsupported("the file's path holds a NUL");
		// O_NONBLOCK: a FIFO would otherwise hold this thread until somebody writes; it is refused below.
		reader->fd_ = ::open(source.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		struct stat stat {};
		if (reader->fd_ < 0 || ::fstat(reader->fd_, &stat) != 0) {
			return Unsupported("cannot open " + source.path + ": " + std::strerror(errno));
		}
		if (!S_ISREG(stat.st_mode)) return Unsupported(source.path + " is not a regular file");
		reader->size_ = stat.st_size;
		return reader;
	}

	Reader() = default;
	Reader(const Reader&) = delete;
	Reader& operator=(const Reader&) = delete;
	~Reader() {
		if (fd_ >= 0) ::close(fd_);
	}

	int64_t size() const { return size_; }

	/** Bytes read at `position`, 0 at the end, negative on an error of the disk. */
	int64_t Read(int64_t position, uint8_t* into, int64_t count) const {
		count = std::min(count, size_ - position);
		if (count <= 0) return 0;
		if (fd_ < 0) {
			std::memcpy(into, bytes_ + position, static_cast<size_t>(count));
			return count;
		}
		ssize_t got;
		do {
			got = ::pread(fd_, into, static_cast<size_t>(count), position);
		} while (got < 0 && errno == EINTR);
		return got;
	}

private:
	const uint8_t* bytes_ = nullptr;
	int fd_ = -1;
	int64_t size_ = 0;
};

/** Models take any value for a number: NaN and infinity become silence, and what is over full scale is clipped,
 * as every player does with float files. */
void MakeSane(float* samples, size_t count) {
	for (size_t i = 0; i < count; i++) {
		const float sample = samples[i];
		samples[i] = std::isfinite(sample) ? std::clamp(sample, -1.0F, 1.0F) : 0.0F;
	}
}

}  // namespace

#ifdef EARSHOT_FFMPEG

namespace {

constexpr int kMaxChannels = 64;  // swresample's own limit, which it does not check everywhere
constexpr int kMinRate = 4000;
constexpr int kMaxRate = 768000;
constexpr int kMaxStreams = 100;
constexpr int64_t kProbeBytes = 5 << 20;
constexpr int64_t kProbeMicroseconds = 10'000'000;
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
struct FrameFree {
	void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct SwrFree {
	void operator()(SwrContext* swr) const { swr_free(&swr); }
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

/** What FFmpeg reads through; position and thread belong to one decoding. */
struct Input {
	const Reader& reader;
	const Cancel& cancel;
	int64_t position = 0;

	static int Read(void* opaque, uint8_t* into, int count) {
		auto& input = *static_cast<Input*>(opaque);
		if (input.cancel.Requested()) return AVERROR_EXIT;
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

/** Converts frames to 16 kHz mono; makes itself anew when the format changes in the middle of a stream. */
class Resampler {
public:
	/** Appends what the frame yields (nullptr: what is left inside). False: the frame could not be used. */
	bool Feed(const AVFrame* frame, SampleBuffer& out, bool& out_of_memory) {
		if (frame != nullptr && !Prepare(*frame, out, out_of_memory)) return false;
		if (!swr_) return true;
		const int in_count = frame == nullptr ? 0 : frame->nb_samples;
		const int room = swr_get_out_samples(swr_.get(), in_count);
		if (room < 0) return false;
		float* into = out.Extend(static_cast<size_t>(room) + 64);
		if (into == nullptr) {
			out_of_memory = true;
			return false;
		}
		auto* plane = reinterpret_cast<uint8_t*>(into);
		const int got = swr_convert(swr_.get(), &plane, room + 64,
			frame == nullptr ? nullptr : const_cast<const uint8_t**>(frame->extended_data), in_count);
		if (got < 0) return false;
		MakeSane(into, static_cast<size_t>(got));
		out.Commit(static_cast<size_t>(got));
		return true;
	}

private:
	bool Prepare(const AVFrame& frame, SampleBuffer& out, bool& out_of_memory) {
		const int channels = frame.ch_layout.nb_channels;
		if (channels < 1 || channels > kMaxChannels || frame.sample_rate < kMinRate || frame.sample_rate > kMaxRate ||
			frame.nb_samples < 0 || frame.extended_data == nullptr) {
			return false;
		}
		if (swr_ && frame.sample_rate == rate_ && frame.format == format_ && channels == channels_) return true;
		if (swr_) Feed(nullptr, out, out_of_memory);
		swr_ = Make(frame, false);
		// A layout that swresample cannot mix down: every channel weighs the same.
		if (!swr_) swr_ = Make(frame, true);
		rate_ = frame.sample_rate;
		format_ = frame.format;
		channels_ = channels;
		return swr_ != nullptr;
	}

	static std::unique_ptr<SwrContext, SwrFree> Make(const AVFrame& frame, bool average) {
		AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
		AVChannelLayout layout = {};
		const int channels = frame.ch_layout.nb_channels;
		if (frame.ch_layout.order == AV_CHANNEL_ORDER_NATIVE && !average) {
			if (av_channel_layout_copy(&layout, &frame.ch_layout) < 0) return nullptr;
		} else if (!average) {
			av_channel_layout_default(&layout, channels);
		} else {
			layout.order = AV_CHANNEL_ORDER_UNSPEC;
			layout.nb_channels = channels;
		}
		SwrContext* made = nullptr;
		const int result = swr_alloc_set_opts2(&made, &mono, AV_SAMPLE_FMT_FLT, kSampleRate, &layout,
			static_cast<AVSampleFormat>(frame.format), frame.sample_rate, 0, nullptr);
		av_channel_layout_uninit(&layout);
		std::unique_ptr<SwrContext, SwrFree> swr(made);
		if (result < 0 || !swr) return nullptr;
		// 64 taps: the default 32 let 8.5 kHz through at -26 dB, into the band of speech.
		av_opt_set_int(swr.get(), "filter_size", 64, 0);
		// Weights that add up to 1. Otherwise a voice in both channels comes out 3 dB louder, and is clipped.
		av_opt_set_double(swr.get(), "rematrix_maxval", 1.0, 0);
		if (average) {
			const std::vector<double> weights(static_cast<size_t>(channels), 1.0 / channels);
			if (swr_set_matrix(swr.get(), weights.data(), channels) < 0) return nullptr;
		}
		if (swr_init(swr.get()) < 0) return nullptr;
		return swr;
	}

	std::unique_ptr<SwrContext, SwrFree> swr_;
	int rate_ = 0, format_ = -1, channels_ = 0;
};

Expected<DecodedAudio> Decode(const AudioSource& source, double max_seconds, const Cancel& cancel) {
	auto opened = Reader::Open(source);
	if (!opened) return opened.failure();
	if ((*opened)->size() == 0) return Unsupported("the recording is empty");

	// Declared before what points to it, hence freed after.
	Input input{**opened, cancel};
	constexpr int kIoBytes = 64 << 10;
	auto* io_buffer = static_cast<uint8_t*>(av_malloc(kIoBytes));
	if (io_buffer == nullptr) return OutOfMemory();
	std::unique_ptr<AVIOContext, IoFree> io(
		avio_alloc_context(io_buffer, kIoBytes, 0, &input, Input::Read, nullptr, Input::Seek));
	if (!io) {
		av_free(io_buffer);
		return OutOfMemory();
	}

	AVFormatContext* made = avformat_alloc_context();
	if (made == nullptr) return OutOfMemory();
	made->pb = io.get();
	made->flags |= AVFMT_FLAG_CUSTOM_IO;
	made->io_open = RefuseOpen;
	made->max_streams = kMaxStreams;
	made->probesize = kProbeBytes;
	made->max_analyze_duration = kProbeMicroseconds;
	made->skip_estimate_duration_from_pts = 1;
	made->format_whitelist = av_strdup(kFormats);
	made->codec_whitelist = av_strdup(AudioDecoders().c_str());
	made->protocol_whitelist = av_strdup("");
	AVDictionary* format_options = nullptr;
	// mov's references to other files; off by default, and wanted off.
	av_dict_set(&format_options, "enable_drefs", "0", 0);
	int result = avformat_open_input(&made, ProbeName(source.path).c_str(), nullptr, &format_options);
	av_dict_free(&format_options);
	// On failure FFmpeg has freed the context already.
	if (cancel.Requested() && result < 0) return Cancelled();
	if (result < 0) return Unsupported("FFmpeg does not know this as a recording (" + ErrorText(result) + ")");
	std::unique_ptr<AVFormatContext, FormatClose> format(made);

	result = avformat_find_stream_info(format.get(), nullptr);
	if (cancel.Requested()) return Cancelled();
	if (result < 0) return Unsupported("no stream can be read (" + ErrorText(result) + ")");

	const AVCodec* decoder = nullptr;
	const int stream_index = av_find_best_stream(format.get(), AVMEDIA_TYPE_AUDIO, -1, -1, &decoder, 0);
	if (stream_index == AVERROR_DECODER_NOT_FOUND) return Unsupported("FFmpeg has no decoder for its audio stream");
	if (stream_index < 0 || decoder == nullptr) {
		return Unsupported(std::string("it holds no audio stream (container ") + format->iformat->name + ")");
	}
	for (unsigned i = 0; i < format->nb_streams; i++) {
		if (static_cast<int>(i) != stream_index) format->streams[i]->discard = AVDISCARD_ALL;
	}
	const AVStream& stream = *format->streams[stream_index];

	std::unique_ptr<AVCodecContext, CodecFree> codec(avcodec_alloc_context3(decoder));
	if (!codec) return OutOfMemory();
	if (avcodec_parameters_to_context(codec.get(), stream.codecpar) < 0) return Unsupported("bad codec parameters");
	codec->pkt_timebase = stream.time_base;
	codec->thread_count = 1;
	codec->max_samples = kMaxRate * 10;
	result = avcodec_open2(codec.get(), decoder, nullptr);
	if (result < 0) return Unsupported(std::string(decoder->name) + " cannot be decoded (" + ErrorText(result) + ")");

	std::unique_ptr<AVPacket, PacketFree> packet(av_packet_alloc());
	std::unique_ptr<AVFrame, FrameFree> frame(av_frame_alloc());
	if (!packet || !frame) return OutOfMemory();

	DecodedAudio decoded;
	decoded.container = format->iformat->name;
	decoded.codec = avcodec_get_name(codec->codec_id);
	Resampler resampler;
	bool out_of_memory = false;
	uint32_t barren = 0;
	double source_seconds = 0;
	// What swresample still holds counts too late by milliseconds; a header's rounding is forgiven with it.
	const double max_samples = (max_seconds + 0.05) * kSampleRate;

	for (bool at_end = false; !at_end;) {
		if (cancel.Requested()) return Cancelled();
		at_end = av_read_frame(format.get(), packet.get()) < 0;
		if (!at_end && packet->stream_index != stream_index) {
			av_packet_unref(packet.get());
			continue;
		}
		result = avcodec_send_packet(codec.get(), at_end ? nullptr : packet.get());
		av_packet_unref(packet.get());
		if (result < 0 && !at_end) decoded.skipped_packets++;

		const size_t before = decoded.samples.size();
		while ((result = avcodec_receive_frame(codec.get(), frame.get())) >= 0) {
			if (decoded.sample_rate == 0) {
				decoded.sample_rate = frame->sample_rate;
				decoded.channels = frame->ch_layout.nb_channels;
			}
			if (resampler.Feed(frame.get(), decoded.samples, out_of_memory)) {
				source_seconds += static_cast<double>(frame->nb_samples) / frame->sample_rate;
			} else {
				decoded.skipped_packets++;
			}
			av_frame_unref(frame.get());
			if (out_of_memory) return OutOfMemory();
			if (static_cast<double>(decoded.samples.size()) > max_samples) return TooLong(max_seconds);
		}
		if (result != AVERROR(EAGAIN) && result != AVERROR_EOF) decoded.skipped_packets++;
		barren = decoded.samples.size() > before ? 0 : barren + 1;
		if (barren > kMaxBarrenPackets) at_end = true;
	}
	if (cancel.Requested()) return Cancelled();
	resampler.Feed(nullptr, decoded.samples, out_of_memory);
	if (out_of_memory) return OutOfMemory();
	if (static_cast<double>(decoded.samples.size()) > max_samples) return TooLong(max_seconds);
	if (decoded.samples.size() == 0 && source_seconds > 0) {
		// Less than the filter's length, a few milliseconds: swresample keeps it. As good as silence.
		const auto count = static_cast<size_t>(std::ceil(std::min(source_seconds, 1.0) * kSampleRate));
		float* into = decoded.samples.Extend(count);
		if (into == nullptr) return OutOfMemory();
		std::fill_n(into, count, 0.0F);
		decoded.samples.Commit(count);
	}
	if (decoded.samples.size() == 0) {
		return Unsupported("its " + decoded.codec + " stream decodes to no sample (" +
			std::to_string(decoded.skipped_packets) + " packets could not be decoded)");
	}
	decoded.samples.Shrink();
	return decoded;
}

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

#else  // no FFmpeg: WAV

namespace {

uint32_t Little(const uint8_t* bytes, int count) {
	uint32_t value = 0;
	for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
	return value;
}

struct WavFormat {
	int tag = 0, channels = 0, rate = 0, bits = 0, stride = 0;
};

float WavSample(const uint8_t* bytes, const WavFormat& format) {
	if (format.tag == 3 && format.bits == 32) {
		float value;
		std::memcpy(&value, bytes, sizeof value);
		return value;
	}
	if (format.tag == 3) {
		double value;
		std::memcpy(&value, bytes, sizeof value);
		return static_cast<float>(value);
	}
	if (format.bits == 8) return (static_cast<float>(bytes[0]) - 128) / 128;
	const uint32_t raw = Little(bytes, format.bits / 8) << (32 - format.bits);
	return static_cast<float>(static_cast<int32_t>(raw)) / 2147483648.0F;
}

/** Windowed sinc, 64 zero crossings, cut below the lower of both Nyquist frequencies. */
void Resample(const std::vector<float>& in, int rate, float* out, size_t out_count) {
	const double ratio = static_cast<double>(rate) / kSampleRate;
	const double cutoff = std::min(1.0, 1.0 / ratio) * 0.95;
	const double half = 32 / cutoff;
	for (size_t i = 0; i < out_count; i++) {
		const double centre = static_cast<double>(i) * ratio;
		const auto first = std::max<int64_t>(0, std::llround(std::ceil(centre - half)));
		const auto last = std::min<int64_t>(static_cast<int64_t>(in.size()) - 1, std::llround(std::floor(centre + half)));
		double sum = 0;
		for (int64_t k = first; k <= last; k++) {
			const double distance = static_cast<double>(k) - centre;
			const double x = std::numbers::pi * distance * cutoff;
			const double sinc = std::abs(x) < 1e-9 ? 1.0 : std::sin(x) / x;
			const double window = 0.5 + 0.5 * std::cos(std::numbers::pi * distance / half);
			sum += in[static_cast<size_t>(k)] * sinc * window;
		}
		out[i] = static_cast<float>(sum * cutoff);
	}
}

Expected<DecodedAudio> Decode(const AudioSource& source, double max_seconds, const Cancel& cancel) {
	auto opened = Reader::Open(source);
	if (!opened) return opened.failure();
	const Reader& reader = **opened;
	uint8_t head[40];
	if (reader.Read(0, head, 12) != 12 || std::memcmp(head, "RIFF", 4) != 0 || std::memcmp(head + 8, "WAVE", 4) != 0) {
		return Unsupported("this build decodes WAV only (EARSHOT_FFMPEG=off)");
	}
	WavFormat format;
	int64_t at = 12, data = 0, data_size = 0;
	while (data == 0 && reader.Read(at, head, 8) == 8) {
		int64_t size = Little(head + 4, 4);
		if (std::memcmp(head, "data", 4) == 0) {
			data = at + 8;
			data_size = std::min(size, reader.size() - data);
		} else if (std::memcmp(head, "fmt ", 4) == 0 && size >= 16 && reader.Read(at + 8, head, 40) >= 16) {
			format = {static_cast<int>(Little(head, 2)), static_cast<int>(Little(head + 2, 2)),
				static_cast<int>(Little(head + 4, 4)), static_cast<int>(Little(head + 14, 2)),
				static_cast<int>(Little(head + 12, 2))};
			if (format.tag == 0xFFFE && size >= 40) format.tag = static_cast<int>(Little(head + 24, 2));
		}
		at += 8 + size + (size & 1);
	}
	const bool known = (format.tag == 1 && (format.bits == 8 || format.bits == 16 || format.bits == 24 || format.bits == 32)) ||
		(format.tag == 3 && (format.bits == 32 || format.bits == 64));
	if (!known || format.channels < 1 || format.channels > 64 || format.rate < 4000 || format.rate > 768000 ||
		format.stride != format.channels * format.bits / 8) {
		return Unsupported("this build decodes WAV with PCM or float samples only (EARSHOT_FFMPEG=off)");
	}
	const int64_t frames = data_size / format.stride;
	if (frames == 0) return Unsupported("the recording holds no sample");
	const double seconds = static_cast<double>(frames) / format.rate;
	if (seconds > max_seconds + 0.05) return TooLong(max_seconds);

	std::vector<float> mono(static_cast<size_t>(frames));
	std::vector<uint8_t> block(static_cast<size_t>(format.stride) * 4096);
	for (int64_t done = 0; done < frames;) {
		if (cancel.Requested()) return Cancelled();
		const int64_t wanted = std::min<int64_t>(4096, frames - done);
		const int64_t got = reader.Read(data + done * format.stride, block.data(), wanted * format.stride) / format.stride;
		if (got <= 0) return Unsupported("the file cannot be read");
		for (int64_t i = 0; i < got; i++) {
			float sum = 0;
			for (int c = 0; c < format.channels; c++) {
				sum += WavSample(block.data() + i * format.stride + c * format.bits / 8, format);
			}
			mono[static_cast<size_t>(done + i)] = sum / static_cast<float>(format.channels);
		}
		done += got;
	}
	MakeSane(mono.data(), mono.size());

	DecodedAudio decoded;
	decoded.container = "wav";
	decoded.codec = "pcm";
	decoded.sample_rate = format.rate;
	decoded.channels = format.channels;
	const auto count = static_cast<size_t>(std::llround(seconds * kSampleRate));
	float* into = decoded.samples.Extend(std::max<size_t>(count, 1));
	if (into == nullptr) return OutOfMemory();
	if (format.rate == kSampleRate) std::copy_n(mono.data(), count, into);
	else Resample(mono, format.rate, into, count);
	MakeSane(into, count);
	decoded.samples.Commit(count);
	decoded.samples.Shrink();
	if (count == 0) return Unsupported("the recording holds no sample");
	return decoded;
}

}  // namespace

AudioVersions GetAudioVersions() { return {"", "", "", ""}; }
void InitAudio() {}

#endif

Expected<DecodedAudio> DecodeAudio(const AudioSource& source, double max_seconds, const Cancel& cancel) {
	return Guarded("audio_unsupported", "decoding", [&] { return Decode(source, max_seconds, cancel); });
}

}  // namespace earshot
