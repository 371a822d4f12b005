#include "audio/live_input.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <numbers>
#include <numeric>

#include "core/clip.h"

namespace earshot {

namespace {

/** Zero crossings of the filter on each side, at the lower of both rates: a delay of 1.5 ms at 16 kHz. */
constexpr double kZeroCrossings = 24;
/** The passband, as a share of the lower rate's band; the filter falls by 80 dB over the rest. */
constexpr double kPassband = 0.91;
/** The parameter of the Kaiser window. */
constexpr double kKaiserBeta = 8;

/** Modified Bessel function of the first kind and order 0, by its series. */
double Bessel(double x) {
	double sum = 1, term = 1;
	for (int k = 1; term > 1e-12 * sum; k++) {
		term *= (x / (2 * k)) * (x / (2 * k));
		sum += term;
	}
	return sum;
}

double Kaiser(double at) {
	if (std::abs(at) >= 1) return 0;
	return Bessel(kKaiserBeta * std::sqrt(1 - at * at)) / Bessel(kKaiserBeta);
}

double Sinc(double x) { return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

ResampleTable MakeTable(int rate) {
	const int common = std::gcd(rate, kSampleRate);
	ResampleTable table;
	table.phases = kSampleRate / common;
	table.step = rate / common;
	if (rate == kSampleRate) return table;
	const double stretch = std::max(1.0, static_cast<double>(rate) / kSampleRate);
	// In cycles of the sine per input sample, doubled.
	const double cutoff = kPassband / stretch;
	const double width = kZeroCrossings * stretch;
	table.reach = static_cast<int64_t>(std::ceil(width));
	for (int64_t phase = 0; phase < table.phases; phase++) {
		const double offset = static_cast<double>(phase) / static_cast<double>(table.phases);
		std::vector<double> weights;
		for (int64_t tap = 1 - table.reach; tap <= table.reach; tap++) {
			const double at = static_cast<double>(tap) - offset;
			weights.push_back(cutoff * Sinc(cutoff * at) * Kaiser(at / width));
		}
		// Each phase must pass a constant unchanged, since differences between phases would be audible as a tone.
		const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
		for (const double weight : weights) table.weights.push_back(static_cast<float>(weight / sum));
	}
	return table;
}

/** Shared by all streams of a rate. */
std::shared_ptr<const ResampleTable> TableFor(int rate) {
	static std::mutex mutex;
	static std::map<int, std::weak_ptr<const ResampleTable>> tables;
	const std::lock_guard lock(mutex);
	std::weak_ptr<const ResampleTable>& known = tables[rate];
	if (auto table = known.lock()) return table;
	auto table = std::make_shared<const ResampleTable>(MakeTable(rate));
	known = table;
	return table;
}

/** ITU-T G.711, as 16-bit numbers. */
int Pcmu(uint8_t byte) {
	const int code = ~byte & 0xff;
	const int size = (((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4);
	return (code & 0x80) != 0 ? 0x84 - size : size - 0x84;
}

int Pcma(uint8_t byte) {
	const int code = byte ^ 0x55;
	const int segment = (code & 0x70) >> 4;
	const int step = ((code & 0x0f) << 4) + (segment == 0 ? 8 : 0x108);
	const int size = segment <= 1 ? step : step << (segment - 1);
	return (code & 0x80) != 0 ? size : -size;
}

constexpr float kScale = 1.0F / 32768;

using Companded = std::array<float, 256>;

Companded TableOf(int (*expand)(uint8_t)) {
	Companded samples{};
	for (int byte = 0; byte < 256; byte++) samples[byte] = static_cast<float>(expand(static_cast<uint8_t>(byte))) * kScale;
	return samples;
}

float Pcm16(uint8_t low, uint8_t high) {
	return static_cast<float>(static_cast<int16_t>(static_cast<uint16_t>(low | high << 8))) * kScale;
}

}  // namespace

std::optional<PcmEncoding> PcmEncodingOf(std::string_view name) {
	if (name == "pcm16") return PcmEncoding::kPcm16;
	if (name == "pcmu") return PcmEncoding::kPcmu;
	if (name == "pcma") return PcmEncoding::kPcma;
	return std::nullopt;
}

LiveInput::LiveInput(PcmEncoding encoding, int rate) : encoding_(encoding), table_(TableFor(rate)) {}

void LiveInput::Push(const uint8_t* bytes, size_t size, bool last, std::vector<float>& out) {
	Decode(bytes, size);
	const auto received = start_ + static_cast<int64_t>(input_.size());
	if (!last) {
		Resample(received, received, out);
		return;
	}
	input_.resize(input_.size() + static_cast<size_t>(table_->reach));
	Resample(received + table_->reach, received, out);
	half_.reset();
	input_.clear();
	start_ = made_ = 0;
}

void LiveInput::Decode(const uint8_t* bytes, size_t size) {
	if (encoding_ != PcmEncoding::kPcm16) {
		static const Companded mu = TableOf(Pcmu), a = TableOf(Pcma);
		const Companded& samples = encoding_ == PcmEncoding::kPcmu ? mu : a;
		std::transform(bytes, bytes + size, std::back_inserter(input_), [&](uint8_t byte) { return samples[byte]; });
		return;
	}
	size_t at = 0;
	if (half_ && size > 0) {
		input_.push_back(Pcm16(*half_, bytes[0]));
		half_.reset();
		at = 1;
	}
	for (; at + 1 < size; at += 2) input_.push_back(Pcm16(bytes[at], bytes[at + 1]));
	if (at < size) half_ = bytes[at];
}

void LiveInput::Resample(int64_t end, int64_t until, std::vector<float>& out) {
	const ResampleTable& table = *table_;
	if (table.reach == 0) {
		out.insert(out.end(), input_.begin(), input_.end());
		made_ += static_cast<int64_t>(input_.size());
		start_ += static_cast<int64_t>(input_.size());
		input_.clear();
		return;
	}
	const int64_t taps = 2 * table.reach;
	for (;; made_++) {
		const int64_t place = made_ * table.step;
		const int64_t base = place / table.phases;
		if (base >= until || base + table.reach >= end) break;
		const float* weights = table.weights.data() + (place % table.phases) * taps;
		const int64_t first = base + 1 - table.reach;
		float sum = 0;
		for (int64_t tap = std::max<int64_t>(0, -first); tap < taps; tap++) {
			sum += weights[tap] * input_[static_cast<size_t>(first + tap - start_)];
		}
		out.push_back(sum);
	}
	const int64_t needed = std::max<int64_t>(start_, made_ * table.step / table.phases + 1 - table.reach);
	const int64_t stale = std::min<int64_t>(needed - start_, static_cast<int64_t>(input_.size()));
	input_.erase(input_.begin(), input_.begin() + stale);
	start_ += stale;
}

}  // namespace earshot
