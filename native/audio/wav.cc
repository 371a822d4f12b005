#include "audio/wav.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "audio/samples.h"
#include "core/clip.h"

namespace earshot::audio {

namespace {

uint32_t Little(const uint8_t* bytes, int count) {
	uint32_t value = 0;
	for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
	return value;
}

constexpr int kWavPcm = 1, kWavFloat = 3, kWavExtensible = 0xFFFE;

/** `chunk`: 40 bytes, of which the first `size` are from the file. */
WavFormat WavFormatOf(const uint8_t* chunk, int64_t size) {
	/** The bytes after the tag in the subformat's GUID. */
	static constexpr uint8_t kTagged[14] = {0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71};
	const auto number = [chunk](int at, int count) { return static_cast<int>(Little(chunk + at, count)); };
	WavFormat format = {number(0, 2), number(2, 2), number(4, 4), number(14, 2), number(12, 2)};
	if (format.tag == kWavExtensible && size >= 40 && std::memcmp(chunk + 26, kTagged, sizeof kTagged) == 0) {
		format.tag = number(24, 2);
	}
	return format;
}

/** Usual files have about ten; a hostile one may have millions of empty ones. */
constexpr int kMaxWavChunks = 100;

template <class Sample, class Convert>
void ConvertAll(const uint8_t* bytes, size_t count, float* into, Convert convert) {
	for (size_t i = 0; i < count; i++) {
		Sample sample;
		std::memcpy(&sample, bytes + i * sizeof sample, sizeof sample);
		into[i] = convert(sample);
	}
}

/** Converts `count` samples to [-1, 1], regardless of channels. */
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

/** Decodes PCM or floats, channels averaged. */
class WavDecoding final : public Decoding {
public:
	static Expected<std::unique_ptr<Decoding>> Open(const Reader& reader, const WavFile& wav, double max_seconds) {
		std::unique_ptr<WavDecoding> decoding(new WavDecoding(reader, wav));
		const int64_t frames = decoding->frames_;
		if (frames <= 0) return Unsupported("the recording holds no sample");
		const double seconds = static_cast<double>(frames) / wav.format.rate;
		if (seconds > max_seconds + kDurationToleranceSeconds) return TooLong(max_seconds);
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
		// As FFmpeg names it.
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
		  frames_(std::min(wav.declared, reader.size() - wav.data) / wav.format.stride),
		  bytes_(static_cast<size_t>(kBlockFrames * wav.format.stride)) {}

	/** Reads, converts and appends the next frames. */
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
	/** Next frame to read. */
	int64_t next_ = 0;
	/** Null at kSampleRate. */
	std::unique_ptr<MonoResampler> resampler_;
	std::vector<uint8_t> bytes_;
	std::vector<float> values_;
	Samples samples_;
	uint64_t given_ = 0;
};

}  // namespace

bool IsWav(const Reader& reader) {
	uint8_t head[12];
	return reader.Read(0, head, sizeof(head)) == sizeof(head) && std::memcmp(head, "RIFF", 4) == 0 &&
		std::memcmp(head + 8, "WAVE", 4) == 0;
}

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
			wav.declared = size;
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

Expected<std::unique_ptr<Decoding>> OpenWav(const Reader& reader, const WavFile& wav, double max_seconds) {
	return WavDecoding::Open(reader, wav, max_seconds);
}

}  // namespace earshot::audio
