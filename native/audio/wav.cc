#include "audio/wav.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "audio/downmix.h"
#include "audio/samples.h"
#include "core/clip.h"

namespace earshot::audio {

namespace {

uint32_t Number(const uint8_t* bytes, int count, bool big_endian) {
	uint32_t value = 0;
	for (int i = 0; i < count; i++) value = value << 8 | bytes[big_endian ? i : count - 1 - i];
	return value;
}

/** Programs that do not know the length write 0, 2^32 - 1, or a number of about 2^31. */
constexpr int64_t kEndlessBytes = 0x7F000000;

constexpr int kWavPcm = 1, kWavFloat = 3, kWavExtensible = 0xFFFE;

/** `chunk` has 40 bytes, of which the file has `size`. */
WavFormat WavFormatOf(const uint8_t* chunk, int64_t size, bool big_endian) {
	/** What follows the tag in the 16 bytes that name a format. */
	static constexpr uint8_t kGuidTail[14] = {0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71};
	const auto number = [&](int at, int count) { return static_cast<int>(Number(chunk + at, count, big_endian)); };
	WavFormat format = {number(0, 2), number(2, 2), number(4, 4), number(14, 2), number(12, 2), number(8, 4)};
	if (format.tag == kWavExtensible && size >= 40 && std::memcmp(chunk + 26, kGuidTail, sizeof kGuidTail) == 0) {
		format.tag = number(24, 2);
	}
	return format;
}

/** Usual files have about ten; a hostile one may have millions of empty chunks. */
constexpr int kMaxWavChunks = 100;

/** Reverses the bytes of each number. */
void SwapBytes(uint8_t* bytes, size_t count, size_t width) {
	for (size_t i = 0; i < count; i++) std::reverse(bytes + i * width, bytes + (i + 1) * width);
}

template <class Sample, class Convert>
void ConvertAll(const uint8_t* bytes, size_t count, float* into, Convert convert) {
	for (size_t i = 0; i < count; i++) {
		Sample sample;
		std::memcpy(&sample, bytes + i * sizeof sample, sizeof sample);
		into[i] = convert(sample);
	}
}

/** Converts `count` samples, interleaved or not, to floats in [-1, 1]. */
void ConvertWav(const uint8_t* bytes, size_t count, const WavFormat& format, float* into) {
	if (format.tag == kWavFloat) {
		if (format.bits == 32) ConvertAll<float>(bytes, count, into, [](float value) { return value; });
		if (format.bits == 64) ConvertAll<double>(bytes, count, into, [](double value) { return static_cast<float>(value); });
		Sanitize(into, count);
	} else if (format.bits == 8) {
		ConvertAll<uint8_t>(bytes, count, into, [](uint8_t value) { return (static_cast<float>(value) - 128) / 128; });
	} else if (format.bits == 16) {
		ConvertAll<int16_t>(bytes, count, into, [](int16_t value) { return static_cast<float>(value) / 32768; });
	} else if (format.bits == 32) {
		ConvertAll<int32_t>(bytes, count, into, [](int32_t value) { return static_cast<float>(value) / 2147483648.0F; });
	} else {
		for (size_t i = 0; i < count; i++) {
			const auto value = static_cast<int32_t>(Number(bytes + 3 * i, 3, false) << 8);
			into[i] = static_cast<float>(value) / 2147483648.0F;
		}
	}
}

std::vector<float> WeightsOf(int channels, int channel) {
	std::vector<float> weights(static_cast<size_t>(channels), channel < 0 ? 1.0F / static_cast<float>(channels) : 0.0F);
	if (channel >= 0 && channel < channels) weights[static_cast<size_t>(channel)] = 1;
	return weights;
}

class WavDecoding final : public Decoding {
public:
	static Expected<std::unique_ptr<Decoding>> Open(
		const Reader& reader, const WavFile& wav, int channel, double max_seconds) {
		std::unique_ptr<WavDecoding> decoding(new WavDecoding(reader, wav, channel));
		const int64_t frames = decoding->frames_;
		if (frames <= 0) return Unsupported("the recording holds no sample");
		const double seconds = static_cast<double>(frames) / wav.format.rate;
		if (seconds > max_seconds + kLengthToleranceSeconds) return TooLong(max_seconds);
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
		return ReadAudio{read, 0, next_ == frames_ && WavIsTruncated(wav_, reader_)};
	}

	AudioInfo Info() const override {
		const auto& [tag, channels, rate, bits, stride, byte_rate] = wav_.format;
		AudioInfo info;
		info.container = "wav";
		// FFmpeg's names.
		info.codec = tag == kWavFloat ? "pcm_f" : bits == 8 ? "pcm_u" : "pcm_s";
		info.codec += std::to_string(bits) + (bits == 8 ? "" : wav_.big_endian ? "be" : "le");
		info.sample_rate = rate;
		info.channels = channels;
		info.declared_seconds = static_cast<double>(frames_) / rate;
		return info;
	}

private:
	WavDecoding(const Reader& reader, const WavFile& wav, int channel)
		: reader_(reader),
		  wav_(wav),
		  frames_((wav.is_endless ? reader.size() - wav.data : std::min(wav.promised, reader.size() - wav.data)) /
			  wav.format.stride),
		  mix_(wav.format.rate, WeightsOf(wav.format.channels, channel)),
		  bytes_(static_cast<size_t>(kBlockFrames * wav.format.stride)) {}

	/** Appends the samples of the next frames. */
	Expected<Done> ReadBlock() {
		const auto channels = static_cast<size_t>(wav_.format.channels);
		const int stride = wav_.format.stride;
		const int64_t wanted = std::min(kBlockFrames, frames_ - next_) * stride;
		if (reader_.Read(wav_.data + next_ * stride, bytes_.data(), wanted) != wanted) {
			return Unsupported("the file cannot be read");
		}
		const auto count = static_cast<size_t>(wanted / stride);
		next_ += static_cast<int64_t>(count);
		const bool last = next_ == frames_;
		values_.resize(count * channels);
		if (wav_.big_endian) SwapBytes(bytes_.data(), values_.size(), static_cast<size_t>(stride) / channels);
		ConvertWav(bytes_.data(), values_.size(), wav_.format, values_.data());
		std::vector<const float*> first(channels);
		for (size_t c = 0; c < channels; c++) first[c] = values_.data() + c;
		mixed_.clear();
		mix_.Feed(first.data(), channels, count, mixed_);
		if (last) mix_.Flush(mixed_);
		if (auto taken = Take(last); !taken) return taken.failure();
		if (last) samples_.End();
		return Done{};
	}

	/** Appends the samples of `mixed_`. */
	Expected<Done> Take(bool last) {
		if (!resampler_) {
			std::copy(mixed_.begin(), mixed_.end(), samples_.Extend(mixed_.size()));
			samples_.Commit(mixed_.size());
			return Done{};
		}
		if (auto fed = resampler_->Feed(mixed_.data(), mixed_.size(), last, samples_); !fed) return fed.failure();
		given_ += samples_.size();
		if (!last || given_ > 0) return Done{};
		samples_.End();
		if (samples_.size() == 0) samples_.AppendSilence(static_cast<double>(frames_) / wav_.format.rate);
		return Done{};
	}

	static constexpr int64_t kBlockFrames = 4096;

	const Reader& reader_;
	const WavFile wav_;
	const int64_t frames_;
	/** The next frame to read. */
	int64_t next_ = 0;
	/** Null at kSampleRate. */
	std::unique_ptr<MonoResampler> resampler_;
	Downmix mix_;
	std::vector<uint8_t> bytes_;
	std::vector<float> values_, mixed_;
	Samples samples_;
	uint64_t given_ = 0;
};

}  // namespace

bool IsWav(const Reader& reader) {
	uint8_t head[12];
	return reader.Read(0, head, sizeof(head)) == sizeof(head) && std::memcmp(head + 8, "WAVE", 4) == 0 &&
		(std::memcmp(head, "RIFF", 4) == 0 || std::memcmp(head, "RIFX", 4) == 0);
}

std::optional<WavFile> ReadWav(const Reader& reader) {
	if (!IsWav(reader)) return std::nullopt;
	WavFile wav;
	int64_t at = 12;
	uint8_t head[8];
	reader.Read(0, head, sizeof head);
	const bool big_endian = wav.big_endian = head[3] == 'X';
	const auto is_endless = [](int64_t bytes) { return bytes == 0 || bytes >= kEndlessBytes; };
	const bool riff_is_endless = is_endless(Number(head + 4, 4, big_endian));
	for (int chunk = 0; wav.data == 0; chunk++) {
		if (chunk == kMaxWavChunks || reader.Read(at, head, sizeof head) != sizeof head) return std::nullopt;
		const int64_t size = Number(head + 4, 4, big_endian);
		if (std::memcmp(head, "data", 4) == 0) {
			wav.data = at + 8;
			wav.promised = size;
			wav.is_endless = size >= kEndlessBytes || (size == 0 && riff_is_endless);
		} else if (std::memcmp(head, "fmt ", 4) == 0 && size >= 16 && wav.format.tag == 0) {
			uint8_t content[40] = {};
			if (reader.Read(at + 8, content, sizeof content) < 16) return std::nullopt;
			wav.format = WavFormatOf(content, size, big_endian);
		}
		at += 8 + size + (size & 1);
	}
	return wav;
}

bool IsLinear(const WavFile& wav) {
	const auto& [tag, channels, rate, bits, stride, byte_rate] = wav.format;
	const bool known = (tag == kWavPcm && (bits == 8 || bits == 16 || bits == 24 || bits == 32)) ||
		(tag == kWavFloat && (bits == 32 || bits == 64));
	return known && channels >= 1 && channels <= kMaxChannels && rate >= kMinRate && rate <= kMaxRate &&
		stride == channels * bits / 8;
}

bool WavIsTruncated(const WavFile& wav, const Reader& reader) {
	if (wav.is_endless) return false;
	const int64_t missing = wav.data + wav.promised - reader.size();
	return static_cast<double>(missing) > kLengthToleranceSeconds * std::max(0, wav.format.byte_rate);
}

Expected<std::unique_ptr<Decoding>> OpenWav(
	const Reader& reader, const WavFile& wav, int channel, double max_seconds) {
	return WavDecoding::Open(reader, wav, channel, max_seconds);
}

}  // namespace earshot::audio
