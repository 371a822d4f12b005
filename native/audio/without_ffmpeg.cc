// For a build without FFmpeg (EARSHOT_FFMPEG=off), which reads only WAV.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <vector>

#include "audio/decoder.h"
#include "audio/decoding.h"
#include "audio/reader.h"
#include "audio/samples.h"
#include "audio/wav.h"
#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"

namespace earshot {

namespace audio {

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
	/** Samples to produce, and samples produced. */
	const int64_t count_;
	int64_t given_ = 0;
	const double ratio_, cutoff_, half_;
	/** Frames from `start_` on. */
	std::vector<float> mono_;
	int64_t start_ = 0;
};

}  // namespace

Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel&) {
	if (!IsWav(reader)) return Unsupported("this build decodes WAV only (EARSHOT_FFMPEG=off)");
	const auto wav = ReadWav(reader);
	if (!wav || !IsLinear(*wav)) return Unsupported("this build decodes WAV with PCM or float samples only (EARSHOT_FFMPEG=off)");
	return OpenWav(reader, *wav, source.channel, max_seconds);
}

Expected<std::unique_ptr<MonoResampler>> MonoResampler::Make(int rate, int64_t frames) {
	return std::unique_ptr<MonoResampler>(std::make_unique<SincResampler>(rate, frames));
}

}  // namespace audio

AudioVersions GetAudioVersions() { return {"", "", "", ""}; }
void InitAudio() {}

}  // namespace earshot
