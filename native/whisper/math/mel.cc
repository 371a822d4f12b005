// Whisper's log-mel spectrogram: a real FFT of sixteen frames side by side, in single precision, and filters without
// their zeros. By the definition of openai/whisper audio.py, with whisper.cpp's 30 s of silence behind the clip.
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
/** Frames transformed at once, one in each element of a vector. */
constexpr size_t kLanes = 16;
constexpr float kLeastPower = 1e-10F;

struct alignas(64) Slots {
	std::array<float, kLanes> value;
};

struct Complex {
	Slots re, im;
};

struct Turn {
	float re, im;
};

/** exp(-2πi k / n) for k < n. */
template <size_t n>
std::array<Turn, n> Turns() {
	std::array<Turn, n> turns{};
	for (size_t k = 0; k < n; k++) {
		const double angle = -2 * std::numbers::pi * static_cast<double>(k) / n;
		turns[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
	}
	return turns;
}

struct Tables {
	std::array<Turn, kHalf> half = Turns<kHalf>();
	std::array<Turn, kFrame> whole = Turns<kFrame>();
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

/** One pass of a Stockham transform of kHalf points: `count` points left in each of `stride` interleaved ones. */
template <size_t radix>
void Pass(const Complex* from, Complex* to, size_t count, size_t stride, const Tables& tables) {
	const size_t parts = count / radix;
	for (size_t part = 0; part < parts; part++) {
		for (size_t at = 0; at < stride; at++) {
			for (size_t out = 0; out < radix; out++) {
				Complex sum = from[at + stride * part];
				for (size_t in = 1; in < radix; in++) {
					// The turn within the radix and, common to all, the one to the next pass.
					const Turn turn = tables.half[(in * out * (kHalf / radix)) % kHalf];
					const Complex& term = from[at + stride * (part + parts * in)];
					for (size_t slot = 0; slot < kLanes; slot++) {
						sum.re.value[slot] += term.re.value[slot] * turn.re - term.im.value[slot] * turn.im;
						sum.im.value[slot] += term.re.value[slot] * turn.im + term.im.value[slot] * turn.re;
					}
				}
				const Turn turn = tables.half[(part * out * (kHalf / count)) % kHalf];
				Complex& made = to[at + stride * (radix * part + out)];
				for (size_t slot = 0; slot < kLanes; slot++) {
					made.re.value[slot] = sum.re.value[slot] * turn.re - sum.im.value[slot] * turn.im;
					made.im.value[slot] = sum.re.value[slot] * turn.im + sum.im.value[slot] * turn.re;
				}
			}
		}
	}
}

/** Powers of the bins of sixteen frames. `frames` holds pairs of samples as complex numbers, and is spoilt. */
void Powers(std::array<Complex, kHalf>& frames, std::array<Complex, kHalf>& room, std::array<Slots, kBins>& powers) {
	const Tables& tables = TablesOnce();
	Pass<4>(frames.data(), room.data(), 200, 1, tables);
	Pass<5>(room.data(), frames.data(), 50, 4, tables);
	Pass<5>(frames.data(), room.data(), 10, 20, tables);
	Pass<2>(room.data(), frames.data(), 2, 100, tables);
	for (size_t bin = 0; bin < kBins; bin++) {
		const Complex& one = frames[bin % kHalf];
		const Complex& other = frames[(kHalf - bin) % kHalf];
		const Turn turn = tables.whole[bin];
		for (size_t slot = 0; slot < kLanes; slot++) {
			// Even and odd samples' transforms, out of that of their pairs.
			const float even_re = (one.re.value[slot] + other.re.value[slot]) / 2;
			const float even_im = (one.im.value[slot] - other.im.value[slot]) / 2;
			const float odd_re = (one.im.value[slot] + other.im.value[slot]) / 2;
			const float odd_im = (other.re.value[slot] - one.re.value[slot]) / 2;
			const float re = even_re + odd_re * turn.re - odd_im * turn.im;
			const float im = even_im + odd_re * turn.im + odd_im * turn.re;
			powers[bin].value[slot] = re * re + im * im;
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
	mel.values.assign(mels * mel.frames, -10.0F);  // log10(kLeastPower)
	// The first frame's middle is the first sample: what comes before is mirrored.
	const auto sample = [&](size_t at) {
		if (at < kHalf) return samples[kHalf - at];
		return at - kHalf < size ? samples[at - kHalf] : 0.0F;
	};
	const Tables& tables = TablesOnce();
	auto frames = std::make_unique<std::array<Complex, kHalf>>();
	auto room = std::make_unique<std::array<Complex, kHalf>>();
	auto powers = std::make_unique<std::array<Slots, kBins>>();
	const size_t sounding = std::min((size + kHalf) / kStep + 1, mel.frames);
	float loudest = -10.0F;
	for (size_t first = 0; first < sounding; first += kLanes) {
		const size_t slots = std::min(kLanes, sounding - first);
		for (size_t slot = 0; slot < kLanes; slot++) {
			const size_t from = (first + std::min(slot, slots - 1)) * kStep;
			for (size_t pair = 0; pair < kHalf; pair++) {
				(*frames)[pair].re.value[slot] = sample(from + 2 * pair) * tables.hann[2 * pair];
				(*frames)[pair].im.value[slot] = sample(from + 2 * pair + 1) * tables.hann[2 * pair + 1];
			}
		}
		Powers(*frames, *room, *powers);
		for (size_t row = 0; row < mels; row++) {
			const auto& [bin, weights] = filters_[row];
			Slots sum{};
			for (size_t k = 0; k < weights.size(); k++) {
				const Slots& power = (*powers)[bin + k];
				for (size_t slot = 0; slot < kLanes; slot++) sum.value[slot] += weights[k] * power.value[slot];
			}
			float* out = mel.values.data() + row * mel.frames + first;
			for (size_t slot = 0; slot < slots; slot++) {
				out[slot] = std::log10(std::max(sum.value[slot], kLeastPower));
				loudest = std::max(loudest, out[slot]);
			}
		}
	}
	const float least = loudest - 8;
	for (float& value : mel.values) value = (std::max(value, least) + 4) / 4;
	return mel;
}

}  // namespace earshot
