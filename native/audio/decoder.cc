// Decoding. With FFmpeg every container it knows; without (EARSHOT_FFMPEG=off) WAV.
//
// The bytes are a stranger's. What keeps them in bounds: no protocol of FFmpeg's is reachable (own reader,
// io_open refuses, no playlist demuxer), only audio decoders may open, and probing, streams, channels, rates,
// useless packets and decoded seconds are all capped. A recording is decoded as it is read: hours of it take no more
// memory than minutes.
#include "audio/decoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numbers>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clip.h"
#include "core/log.h"
#include "platform/platform.h"

#ifdef EARSHOT_FFMPEG
extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
}
#endif

namespace earshot {

namespace {

Failure Unsupported(std::string text) { return {"audio_unsupported", std::move(text)}; }

Failure TooLong(double max_seconds) {
	return {"audio_too_long", "the recording is longer than " + std::to_string(std::lround(max_seconds)) + " s"};
}

constexpr int kMaxChannels = 64;  // swresample's own limit, which it does not check everywhere
constexpr int kMinRate = 4000;
constexpr int kMaxRate = 768000;

/** What swresample still holds counts too late by milliseconds; a header's rounding is forgiven with it. */
constexpr double kForgivenSeconds = 0.05;

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
		auto opened = File::Open(source.path, "audio_unsupported");
		if (!opened) return opened.failure();
		reader->file_ = std::move(*opened);
		reader->size_ = reader->file_->size();
		return reader;
	}

	int64_t size() const { return size_; }

	/** Bytes read at `position`, 0 at the end, negative on an error of the disk. */
	int64_t Read(int64_t position, uint8_t* into, int64_t count) const {
		count = std::min(count, size_ - position);
		if (count <= 0) return 0;
		if (file_) return file_->Read(position, into, count);
		std::memcpy(into, bytes_ + position, static_cast<size_t>(count));
		return count;
	}

private:
	const uint8_t* bytes_ = nullptr;
	std::unique_ptr<File> file_;
	int64_t size_ = 0;
};

/** Samples that are decoded and not read yet. */
class Samples {
public:
	/** Room for `count` more at the end, until the next call of Extend. */
	float* Extend(size_t count) {
		if (begin_ == end_) begin_ = end_ = 0;
		if (values_.size() < end_ + count) values_.resize(end_ + count);
		return values_.data() + end_;
	}
	void Commit(size_t count) { end_ += count; }
	size_t size() const { return end_ - begin_; }

	/** For a recording shorter than a resampler's filter, a few milliseconds, which keeps it: as good as silence. */
	size_t AppendSilence(double seconds) {
		const auto count = static_cast<size_t>(std::ceil(std::min(seconds, 1.0) * kSampleRate));
		std::fill_n(Extend(count), count, 0.0F);
		Commit(count);
		return count;
	}

	/** Takes up to `count` off the front. */
	size_t Take(float* into, size_t count) {
		count = std::min(count, size());
		std::copy_n(values_.data() + begin_, count, into);
		begin_ += count;
		return count;
	}

private:
	std::vector<float> values_;
	size_t begin_ = 0, end_ = 0;
};

/** Models take any value for a number: NaN and infinity become silence, and what is over full scale is clipped,
 * as every player does with float files. */
void MakeSane(float* samples, size_t count) {
	for (size_t i = 0; i < count; i++) {
		const float sample = samples[i];
		samples[i] = std::isfinite(sample) ? std::clamp(sample, -1.0F, 1.0F) : 0.0F;
	}
}

/** A recording being decoded from its start to its end. */
class Decoding {
public:
	virtual ~Decoding() = default;
	virtual Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) = 0;
	virtual AudioInfo Info() const = 0;
};

// ---- WAV ---------------------------------------------------------------------------------------

bool IsWav(const Reader& reader) {
	uint8_t head[12];
	return reader.Read(0, head, sizeof(head)) == sizeof(head) && std::memcmp(head, "RIFF", 4) == 0 &&
		std::memcmp(head + 8, "WAVE", 4) == 0;
}

uint32_t Little(const uint8_t* bytes, int count) {
	uint32_t value = 0;
	for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
	return value;
}

constexpr int kWavPcm = 1, kWavFloat = 3, kWavExtensible = 0xFFFE;

struct WavFormat {
	/** kWavPcm, kWavFloat, or what this file does not know. */
	int tag = 0;
	int channels = 0, rate = 0, bits = 0;
	/** Bytes of a frame. */
	int stride = 0;
};

struct WavFile {
	WavFormat format;
	/** Where the samples begin, and how many bytes of them the header promises. */
	int64_t data = 0, promised = 0;
};

/** `chunk` has 40 bytes, of which the file has `size`. */
WavFormat WavFormatOf(const uint8_t* chunk, int64_t size) {
	/** What follows the tag in the 16 bytes that name a format. */
	static constexpr uint8_t kTagged[14] = {0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71};
	const auto number = [chunk](int at, int count) { return static_cast<int>(Little(chunk + at, count)); };
	WavFormat format = {number(0, 2), number(2, 2), number(4, 4), number(14, 2), number(12, 2)};
	if (format.tag == kWavExtensible && size >= 40 && std::memcmp(chunk + 26, kTagged, sizeof kTagged) == 0) {
		format.tag = number(24, 2);
	}
	return format;
}

/** A file has some ten; it may hold millions, of no bytes each. */
constexpr int kMaxWavChunks = 100;

/** What a WAV file says of itself, none of which need be true; none where it holds anything but PCM or floats. */
std::optional<WavFile> ReadWav(const Reader& reader) {
	if (!IsWav(reader)) return std::nullopt;
	WavFile wav;
	int64_t at = 12;
	uint8_t head[8];
	for (int chunk = 0; wav.data == 0; chunk++) {
		if (chunk == kMaxWavChunks || reader.Read(at, head, sizeof head) != sizeof head) return std::nullopt;
		const int64_t size = Little(head + 4, 4);
		if (std::memcmp(head, "data", 4) == 0) {
			wav.data = at + 8;
			wav.promised = size;
		} else if (std::memcmp(head, "fmt ", 4) == 0 && size >= 16 && wav.format.tag == 0) {
			uint8_t content[40] = {};
			if (reader.Read(at + 8, content, sizeof content) < 16) return std::nullopt;
			wav.format = WavFormatOf(content, size);
		}
		at += 8 + size + (size & 1);
	}
	const auto& [tag, channels, rate, bits, stride] = wav.format;
	const bool known = (tag == kWavPcm && (bits == 8 || bits == 16 || bits == 24 || bits == 32)) ||
		(tag == kWavFloat && (bits == 32 || bits == 64));
	const bool usual = channels >= 1 && channels <= kMaxChannels && rate >= kMinRate && rate <= kMaxRate &&
		stride == channels * bits / 8;
	return known && usual ? std::optional(wav) : std::nullopt;
}

template <class Sample, class Convert>
void ConvertAll(const uint8_t* bytes, size_t count, float* into, Convert convert) {
	for (size_t i = 0; i < count; i++) {
		Sample sample;
		std::memcpy(&sample, bytes + i * sizeof sample, sizeof sample);
		into[i] = convert(sample);
	}
}

/** So many samples, of whichever channels, as numbers in [-1, 1]. */
void ConvertWav(const uint8_t* bytes, size_t count, const WavFormat& format, float* into) {
	if (format.tag == kWavFloat) {
		if (format.bits == 32) ConvertAll<float>(bytes, count, into, [](float value) { return value; });
		if (format.bits == 64) ConvertAll<double>(bytes, count, into, [](double value) { return static_cast<float>(value); });
		MakeSane(into, count);
	} else if (format.bits == 8) {
		ConvertAll<uint8_t>(bytes, count, into, [](uint8_t value) { return (static_cast<float>(value) - 128) / 128; });
	} else if (format.bits == 16) {
		ConvertAll<int16_t>(bytes, count, into, [](int16_t value) { return static_cast<float>(value) / 32768; });
	} else if (format.bits == 32) {
		ConvertAll<int32_t>(bytes, count, into, [](int32_t value) { return static_cast<float>(value) / 2147483648.0F; });
	} else {
		for (size_t i = 0; i < count; i++) {
			const auto value = static_cast<int32_t>(Little(bytes + 3 * i, 3) << 8);
			into[i] = static_cast<float>(value) / 2147483648.0F;
		}
	}
}

/** One channel to kSampleRate, as it comes. */
class MonoResampler {
public:
	/** `rate` is another than kSampleRate; `frames`: how many will come in all. */
	static Expected<std::unique_ptr<MonoResampler>> Make(int rate, int64_t frames);
	virtual ~MonoResampler() = default;
	/** Appends what these yield; `last`: no others follow. */
	virtual Expected<Done> Feed(const float* samples, size_t count, bool last, Samples& out) = 0;
};

/** PCM or floats of a WAV file, every channel as loud as the others. */
class WavDecoding final : public Decoding {
public:
	static Expected<std::unique_ptr<Decoding>> Open(const Reader& reader, const WavFile& wav, double max_seconds) {
		std::unique_ptr<WavDecoding> decoding(new WavDecoding(reader, wav));
		const int64_t frames = decoding->frames_;
		if (frames <= 0) return Unsupported("the recording holds no sample");
		if (static_cast<double>(frames) / wav.format.rate > max_seconds + kForgivenSeconds) return TooLong(max_seconds);
		if (wav.format.rate != kSampleRate) {
			auto resampler = MonoResampler::Make(wav.format.rate, frames);
			if (!resampler) return resampler.failure();
			decoding->resampler_ = std::move(*resampler);
		}
		return std::unique_ptr<Decoding>(std::move(decoding));
	}

	Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) override {
		size_t read = samples_.Take(into, count);
		while (read < count && next_ < frames_) {
			if (cancel.Requested()) return Cancelled();
			if (auto more = ReadBlock(); !more) return more.failure();
			read += samples_.Take(into + read, count - read);
		}
		return ReadAudio{read, 0};
	}

	AudioInfo Info() const override {
		const auto& [tag, channels, rate, bits, stride] = wav_.format;
		AudioInfo info;
		info.container = "wav";
		// FFmpeg's names.
		info.codec = tag == kWavFloat ? "pcm_f" : bits == 8 ? "pcm_u" : "pcm_s";
		info.codec += std::to_string(bits) + (bits == 8 ? "" : "le");
		info.sample_rate = rate;
		info.channels = channels;
		info.declared_seconds = static_cast<double>(frames_) / rate;
		return info;
	}

private:
	WavDecoding(const Reader& reader, const WavFile& wav)
		: reader_(reader),
		  wav_(wav),
		  frames_(std::min(wav.promised, reader.size() - wav.data) / wav.format.stride),
		  bytes_(static_cast<size_t>(kBlockFrames * wav.format.stride)) {}

	/** Appends what the next frames yield. */
	Expected<Done> ReadBlock() {
		const auto& [tag, channels, rate, bits, stride] = wav_.format;
		const int64_t wanted = std::min(kBlockFrames, frames_ - next_) * stride;
		if (reader_.Read(wav_.data + next_ * stride, bytes_.data(), wanted) != wanted) {
			return Unsupported("the file cannot be read");
		}
		const auto count = static_cast<size_t>(wanted / stride);
		next_ += static_cast<int64_t>(count);
		values_.resize(count * static_cast<size_t>(channels));
		ConvertWav(bytes_.data(), values_.size(), wav_.format, values_.data());
		const float* frame = values_.data();
		for (size_t i = 0; channels > 1 && i < count; i++, frame += channels) {
			values_[i] = std::accumulate(frame, frame + channels, 0.0F) / static_cast<float>(channels);
		}
		if (!resampler_) {
			std::copy_n(values_.data(), count, samples_.Extend(count));
			samples_.Commit(count);
			return Done{};
		}
		if (auto fed = resampler_->Feed(values_.data(), count, next_ == frames_, samples_); !fed) return fed.failure();
		given_ += samples_.size();
		if (next_ == frames_ && given_ == 0) samples_.AppendSilence(static_cast<double>(frames_) / rate);
		return Done{};
	}

	static constexpr int64_t kBlockFrames = 4096;

	const Reader& reader_;
	const WavFile wav_;
	const int64_t frames_;
	/** The first frame that was not read. */
	int64_t next_ = 0;
	/** None at kSampleRate. */
	std::unique_ptr<MonoResampler> resampler_;
	std::vector<uint8_t> bytes_;
	std::vector<float> values_;
	Samples samples_;
	uint64_t given_ = 0;
};

}  // namespace

#ifdef EARSHOT_FFMPEG

namespace {

Failure OutOfMemory() { return {"out_of_memory", "no memory for decoding the recording"}; }

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

/** Converts frames to 16 kHz mono; makes itself anew when the format changes in the middle of a stream. */
class Resampler {
public:
	/** Appends what the frame yields (nullptr: what is left inside). False: the frame could not be used. */
	bool Feed(const AVFrame* frame, Samples& out) {
		if (frame != nullptr && !Prepare(*frame, out)) return false;
		if (!swr_) return true;
		const int in_count = frame == nullptr ? 0 : frame->nb_samples;
		const int room = swr_get_out_samples(swr_.get(), in_count);
		if (room < 0) return false;
		float* into = out.Extend(static_cast<size_t>(room) + 64);
		auto* plane = reinterpret_cast<uint8_t*>(into);
		const int got = swr_convert(swr_.get(), &plane, room + 64,
			frame == nullptr ? nullptr : const_cast<const uint8_t**>(frame->extended_data), in_count);
		if (got < 0) return false;
		MakeSane(into, static_cast<size_t>(got));
		out.Commit(static_cast<size_t>(got));
		return true;
	}

private:
	bool Prepare(const AVFrame& frame, Samples& out) {
		const int channels = frame.ch_layout.nb_channels;
		if (channels < 1 || channels > kMaxChannels || frame.sample_rate < kMinRate || frame.sample_rate > kMaxRate ||
			frame.nb_samples < 0 || frame.extended_data == nullptr) {
			return false;
		}
		if (swr_ && frame.sample_rate == rate_ && frame.format == format_ && channels == channels_) return true;
		if (swr_) Feed(nullptr, out);
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

class SwrMono final : public MonoResampler {
public:
	/** `frame` is empty. */
	SwrMono(AVFrame* frame, int rate) : frame_(frame) {
		frame_->format = AV_SAMPLE_FMT_FLT;
		frame_->sample_rate = rate;
		av_channel_layout_default(&frame_->ch_layout, 1);
	}

	Expected<Done> Feed(const float* samples, size_t count, bool last, Samples& out) override {
		frame_->data[0] = reinterpret_cast<uint8_t*>(const_cast<float*>(samples));
		frame_->nb_samples = static_cast<int>(count);
		if (!resampler_.Feed(frame_.get(), out)) return OutOfMemory();
		if (last) resampler_.Feed(nullptr, out);
		return Done{};
	}

private:
	Resampler resampler_;
	/** Points to samples that are not its own. */
	std::unique_ptr<AVFrame, FrameFree> frame_;
};

Expected<std::unique_ptr<MonoResampler>> MonoResampler::Make(int rate, int64_t) {
	AVFrame* frame = av_frame_alloc();
	if (frame == nullptr) return OutOfMemory();
	return std::unique_ptr<MonoResampler>(std::make_unique<SwrMono>(frame, rate));
}

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

/** FFmpeg looks for other codecs in what a WAV calls PCM, since DTS hides there, in two channels: that costs many
 * times what reading a plain one does. */
Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel& cancel) {
	const auto wav = ReadWav(reader);
	if (wav && IsPlain(*wav, reader)) return WavDecoding::Open(reader, *wav, max_seconds);
	return FfmpegDecoding::Open(reader, ProbeName(source.path), max_seconds, cancel);
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

/** A windowed sinc with 64 zero crossings, cut below the lower of both Nyquist frequencies. */
class SincResampler final : public MonoResampler {
public:
	SincResampler(int rate, int64_t frames)
		: frames_(frames),
		  count_(std::llround(static_cast<double>(frames) / rate * kSampleRate)),
		  ratio_(static_cast<double>(rate) / kSampleRate),
		  cutoff_(std::min(1.0, 1.0 / ratio_) * 0.95),
		  half_(32 / cutoff_) {}

	Expected<Done> Feed(const float* samples, size_t count, bool, Samples& out) override {
		const auto needed = std::llround(std::ceil(static_cast<double>(given_) * ratio_ - half_));
		const auto stale = std::clamp<int64_t>(needed - start_, 0, static_cast<int64_t>(mono_.size()));
		mono_.erase(mono_.begin(), mono_.begin() + stale);
		start_ += stale;
		mono_.insert(mono_.end(), samples, samples + count);
		for (; given_ < count_; given_++) {
			const double centre = static_cast<double>(given_) * ratio_;
			const auto last = std::min<int64_t>(frames_ - 1, std::llround(std::floor(centre + half_)));
			if (last >= start_ + static_cast<int64_t>(mono_.size())) break;
			float* into = out.Extend(1);
			*into = At(centre, last);
			MakeSane(into, 1);
			out.Commit(1);
		}
		return Done{};
	}

private:
	float At(double centre, int64_t last) const {
		double sum = 0;
		for (int64_t k = std::max<int64_t>(0, std::llround(std::ceil(centre - half_))); k <= last; k++) {
			const double distance = static_cast<double>(k) - centre;
			const double x = std::numbers::pi * distance * cutoff_;
			const double sinc = std::abs(x) < 1e-9 ? 1.0 : std::sin(x) / x;
			const double window = 0.5 + 0.5 * std::cos(std::numbers::pi * distance / half_);
			sum += mono_[static_cast<size_t>(k - start_)] * sinc * window;
		}
		return static_cast<float>(sum * cutoff_);
	}

	const int64_t frames_;
	/** Samples to give, and given. */
	const int64_t count_;
	int64_t given_ = 0;
	const double ratio_, cutoff_, half_;
	/** Frames from `start_` on. */
	std::vector<float> mono_;
	int64_t start_ = 0;
};

Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource&, double max_seconds, const Cancel&) {
	if (!IsWav(reader)) return Unsupported("this build decodes WAV only (EARSHOT_FFMPEG=off)");
	const auto wav = ReadWav(reader);
	if (!wav) return Unsupported("this build decodes WAV with PCM or float samples only (EARSHOT_FFMPEG=off)");
	return WavDecoding::Open(reader, *wav, max_seconds);
}

}  // namespace

Expected<std::unique_ptr<MonoResampler>> MonoResampler::Make(int rate, int64_t frames) {
	return std::unique_ptr<MonoResampler>(std::make_unique<SincResampler>(rate, frames));
}

AudioVersions GetAudioVersions() { return {"", "", "", ""}; }
void InitAudio() {}

#endif

namespace {

class DecodingReader final : public AudioReader {
public:
	DecodingReader(AudioSource source, double max_seconds) : source_(std::move(source)), max_seconds_(max_seconds) {}

	Expected<AudioInfo> Open(const Cancel& cancel) override {
		return Guarded("audio_unsupported", "decoding", [&]() -> Expected<AudioInfo> {
			auto opened = Reader::Open(source_);
			if (!opened) return opened.failure();
			file_ = std::move(*opened);
			if (file_->size() == 0) return Unsupported("the recording is empty");
			if (auto started = Start(cancel); !started) return started.failure();
			const AudioInfo info = decoding_->Info();
			if (!(info.declared_seconds > max_seconds_ + kForgivenSeconds)) return info;
			// Refused now rather than hours later, but not on the word of a header, which may promise anything.
			std::vector<float> dropped(kSampleRate);
			for (size_t read = dropped.size(); read == dropped.size();) {
				auto result = decoding_->Read(dropped.data(), dropped.size(), cancel);
				if (!result) return result.failure();
				read = result->count;
			}
			if (auto again = Start(cancel); !again) return again.failure();
			return info;
		});
	}

	Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) override {
		if (!decoding_) return Unsupported("the recording is not open");
		return Guarded("audio_unsupported", "decoding", [&] { return decoding_->Read(into, count, cancel); });
	}

private:
	Expected<Done> Start(const Cancel& cancel) {
		decoding_.reset();
		auto opened = OpenDecoding(*file_, source_, max_seconds_, cancel);
		if (!opened) return opened.failure();
		decoding_ = std::move(*opened);
		return Done{};
	}

	const AudioSource source_;
	const double max_seconds_;
	std::unique_ptr<Reader> file_;
	std::unique_ptr<Decoding> decoding_;  // reads file_
};

}  // namespace

std::shared_ptr<AudioReader> AudioReader::Make(AudioSource source, double max_seconds) {
	return std::make_shared<DecodingReader>(std::move(source), max_seconds);
}

}  // namespace earshot
