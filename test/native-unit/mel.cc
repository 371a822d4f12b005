// Whisper's log-mel spectrogram against its definition (openai/whisper audio.py).
#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "check.h"
#include "core/clip.h"
#include "whisper/math/mel.h"

namespace earshot::tests {

namespace {

constexpr size_t kBins = 201;

/** One band per bin. */
MelFilters FiltersAt(const std::vector<size_t>& bins) {
	std::vector<float> weights(bins.size() * kBins, 0.0F);
	for (size_t band = 0; band < bins.size(); band++) weights[band * kBins + bins[band]] = 1;
	return {weights.data(), bins.size()};
}

/** log10 of the power of a bin of the frame, whose 400 samples are around `frame` × 160. */
double LogPower(const std::vector<float>& samples, size_t frame, size_t bin) {
	std::complex<double> sum = 0;
	for (size_t i = 0; i < 400; i++) {
		const double turn = 2 * std::numbers::pi * static_cast<double>(i) / 400;
		sum += samples[frame * 160 - 200 + i] * (0.5 - 0.5 * std::cos(turn)) *
			std::polar(1.0, -turn * static_cast<double>(bin));
	}
	return std::log10(std::max(std::norm(sum), 1e-10));
}

}  // namespace

TEST("the spectrogram of noise matches the definition") {
	const std::vector<size_t> bins{1, 7, 25, 100, 199};
	const std::vector<float> samples = Noise(3).Some(kSampleRate, 0.5F);
	const LogMel mel = FiltersAt(bins).Spectrogram(samples.data(), samples.size());
	for (size_t band = 0; band < bins.size(); band++) {
		for (const size_t frame : {2, 17, 50, 98}) {
			const double expected = (LogPower(samples, frame, bins[band]) + 4) / 4;
			EXPECT(std::abs(mel.values[band * mel.frames + frame] - expected) < 1e-3);
		}
	}
}

TEST("a full-scale tone fills its band, and the floor is 80 dB below") {
	std::vector<float> samples(kSampleRate);
	for (size_t i = 0; i < samples.size(); i++) {
		samples[i] = static_cast<float>(std::sin(2 * std::numbers::pi * 1000 * static_cast<double>(i) / kSampleRate));
	}
	const LogMel mel = FiltersAt({25, 100}).Spectrogram(samples.data(), samples.size());
	// The clip plus 30 s of silence.
	EXPECT(mel.frames == 3100);
	// |X| = 400 / 4 under a Hann window: (log10(100²) + 4) / 4.
	EXPECT(std::abs(mel.values[50] - 2) < 1e-3);
	EXPECT(std::abs(mel.values[mel.frames + 50]) < 1e-2);
	EXPECT(std::abs(mel.values[3000]) < 1e-2);
}

TEST("the spectrogram of silence is constant") {
	const std::vector<float> samples(kSampleRate, 0.0F);
	const LogMel mel = FiltersAt({10, 90}).Spectrogram(samples.data(), samples.size());
	EXPECT(std::all_of(mel.values.begin(), mel.values.end(), [](float value) { return value == -1.5F; }));
}

}  // namespace earshot::tests
