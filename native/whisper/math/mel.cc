// As defined by openai/whisper audio.py, with whisper.cpp's 30 s of silence after the clip. A real FFT of sixteen frames in
// parallel, in single precision, and sparse filters.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "whisper/math/mel.h"

namespace earshot {

namespace {

constexpr size_t kFrame = 400;   // samples: WHISPER_N_FFT
constexpr size_t kStep = 160;    // WHISPER_HOP_LENGTH
constexpr size_t kBins = kFrame / 2 + 1;
constexpr size_t kHalf = kFrame / 2;
/** Frames transformed in parallel, one per vector lane. */
constexpr size_t kLanes = 16;
constexpr float kMinPower = 1e-10F;

struct alignas(64) Lanes {
	std::array<float, kLanes> value;
};

struct Complex {
	Lanes re, im;
};

struct Twiddle {
	float re, im;
};

/** exp(-2πi k / n) for k < n. */
template <size_t n>
std::array<Twiddle, n> Twiddles() {
	std::array<Twiddle, n> twiddles{};
	for (size_t k = 0; k < n; k++) {
		const double angle = -2 * std::numbers::pi * static_cast<double>(k) / n;
		twiddles[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
	}
	return twiddles;
}

struct Tables {
	std::array<Twiddle, kHalf> half = Twiddles<kHalf>();
	std::array<Twiddle, kFrame> whole = Twiddles<kFrame>();
	std::array<float, kFrame> hann{};

	Tables() {
		for (size_t i = 0; i < kFrame; i++) {
			hann[i] = static_cast<float>(0.5 * (1 - std::cos(2 * std::numbers::pi * static_cast<double>(i) / kFrame)));
		}
	}
};

const Tables& TablesOnce() {
	static const Tables tables;
	return tables;
}

/** One radix pass of a Stockham FFT of kHalf points: `stride` interleaved transforms of `count` points each. */
template <size_t radix>
void Pass(const Complex* from, Complex* to, size_t count, size_t stride, const Tables& tables) {
	const size_t parts = count / radix;
	for (size_t part = 0; part < parts; part++) {
		for (size_t at = 0; at < stride; at++) {
			for (size_t out = 0; out < radix; out++) {
				Complex sum = from[at + stride * part];
				for (size_t in = 1; in < radix; in++) {
					// The twiddle factor within the radix.
					const Twiddle twiddle = tables.half[(in * out * (kHalf / radix)) % kHalf];
					const Complex& term = from[at + stride * (part + parts * in)];
					for (size_t lane = 0; lane < kLanes; lane++) {
						sum.re.value[lane] += term.re.value[lane] * twiddle.re - term.im.value[lane] * twiddle.im;
						sum.im.value[lane] += term.re.value[lane] * twiddle.im + term.im.value[lane] * twiddle.re;
					}
				}
				const Twiddle twiddle = tables.half[(part * out * (kHalf / count)) % kHalf];
				Complex& made = to[at + stride * (radix * part + out)];
				for (size_t lane = 0; lane < kLanes; lane++) {
					made.re.value[lane] = sum.re.value[lane] * twiddle.re - sum.im.value[lane] * twiddle.im;
					made.im.value[lane] = sum.re.value[lane] * twiddle.im + sum.im.value[lane] * twiddle.re;
				}
			}
		}
	}
}

/** Power spectra of sixteen frames. `frames` holds pairs of samples as complex numbers and is overwritten. */
void Powers(std::array<Complex, kHalf>& frames, std::array<Complex, kHalf>& buffer, std::array<Lanes, kBins>& powers) {
	const Tables& tables = TablesOnce();
	Pass<4>(frames.data(), buffer.data(), 200, 1, tables);
	Pass<5>(buffer.data(), frames.data(), 50, 4, tables);
	Pass<5>(frames.data(), buffer.data(), 10, 20, tables);
	Pass<2>(buffer.data(), frames.data(), 2, 100, tables);
	for (size_t bin = 0; bin < kBins; bin++) {
		const Complex& one = frames[bin % kHalf];
		const Complex& other = frames[(kHalf - bin) % kHalf];
		const Twiddle twiddle = tables.whole[bin];
		for (size_t lane = 0; lane < kLanes; lane++) {
			// Split the transform of pairs into those of even and odd samples.
			const float even_re = (one.re.value[lane] + other.re.value[lane]) / 2;
			const float even_im = (one.im.value[lane] - other.im.value[lane]) / 2;
			const float odd_re = (one.im.value[lane] + other.im.value[lane]) / 2;
			const float odd_im = (other.re.value[lane] - one.re.value[lane]) / 2;
			const float re = even_re + odd_re * twiddle.re - odd_im * twiddle.im;
			const float im = even_im + odd_re * twiddle.im + odd_im * twiddle.re;
			powers[bin].value[lane] = re * re + im * im;
		}
	}
}

}  // namespace

MelFilters::MelFilters(const float* weights, size_t mels) {
	for (size_t mel = 0; mel < mels; mel++) {
		const float* row = weights + mel * kBins;
		size_t first = 0, end = kBins;
		while (first < end && row[first] == 0) first++;
		while (end > first && row[end - 1] == 0) end--;
		filters_.push_back({first, std::vector<float>(row + first, row + end)});
	}
}

LogMel MelFilters::Spectrogram(const float* samples, size_t size) const {
	const size_t mels = filters_.size();
	LogMel mel;
	mel.frames = (size + kWindowSamples) / kStep;
	mel.values.assign(mels * mel.frames, -10.0F);  // log10(kMinPower)
	// Frames are centred: the first one starts with mirrored samples.
	const auto sample = [&](size_t at) {
		if (at < kHalf) return samples[kHalf - at];
		return at - kHalf < size ? samples[at - kHalf] : 0.0F;
	};
	const Tables& tables = TablesOnce();
	auto frames = std::make_unique<std::array<Complex, kHalf>>();
	auto buffer = std::make_unique<std::array<Complex, kHalf>>();
	auto powers = std::make_unique<std::array<Lanes, kBins>>();
	const size_t nonzero = std::min((size + kHalf) / kStep + 1, mel.frames);
	float loudest = -10.0F;
	for (size_t first = 0; first < nonzero; first += kLanes) {
		const size_t lanes = std::min(kLanes, nonzero - first);
		for (size_t lane = 0; lane < kLanes; lane++) {
			const size_t from = (first + std::min(lane, lanes - 1)) * kStep;
			for (size_t pair = 0; pair < kHalf; pair++) {
				(*frames)[pair].re.value[lane] = sample(from + 2 * pair) * tables.hann[2 * pair];
				(*frames)[pair].im.value[lane] = sample(from + 2 * pair + 1) * tables.hann[2 * pair + 1];
			}
		}
		Powers(*frames, *buffer, *powers);
		for (size_t row = 0; row < mels; row++) {
			const auto& [bin, weights] = filters_[row];
			Lanes sum{};
			for (size_t k = 0; k < weights.size(); k++) {
				const Lanes& power = (*powers)[bin + k];
				for (size_t lane = 0; lane < kLanes; lane++) sum.value[lane] += weights[k] * power.value[lane];
			}
			float* out = mel.values.data() + row * mel.frames + first;
			for (size_t lane = 0; lane < lanes; lane++) {
				out[lane] = std::log10(std::max(sum.value[lane], kMinPower));
				loudest = std::max(loudest, out[lane]);
			}
		}
	}
	const float floor = loudest - 8;
	for (float& value : mel.values) value = (std::max(value, floor) + 4) / 4;
	return mel;
}

}  // namespace earshot
