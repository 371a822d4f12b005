#include "audio/downmix.h"

#include <algorithm>
#include <utility>

namespace earshot::audio {

namespace {

/** A channel is inverted if that makes the sum's energy this many times as large: a correlation below -0.78, which
 * channels of music or of several microphones do not sustain. */
constexpr double kInvertRatio = 8;
/** It is inverted back if that makes the energy this many times as large, which independent noise in each channel does
 * not. */
constexpr double kRevertRatio = 2;

}  // namespace

Downmix::Downmix(int rate, std::vector<float> weights)
	: block_(static_cast<size_t>(rate) / 10), fade_(static_cast<size_t>(rate) / 100) {
	for (size_t i = 0; i < weights.size(); i++) {
		if (weights[i] != 0) audible_.push_back({i, weights[i], 1, {}});
	}
}

void Downmix::Feed(const float* const* channels, size_t stride, size_t count, std::vector<float>& out) {
	if (audible_.size() < 2) {
		const size_t from = out.size();
		out.resize(from + count, 0.0F);
		if (audible_.empty()) return;
		const Channel& only = audible_[0];
		const float* samples = channels[only.index];
		for (size_t i = 0; i < count; i++) out[from + i] = samples[i * stride] * only.weight;
		return;
	}
	for (size_t at = 0; at < count;) {
		const size_t some = std::min(count - at, block_ - audible_[0].held.size());
		for (Channel& channel : audible_) {
			const float* samples = channels[channel.index];
			for (size_t i = at; i < at + some; i++) channel.held.push_back(samples[i * stride] * channel.weight);
		}
		at += some;
		if (audible_[0].held.size() == block_) Mix(out);
	}
}

void Downmix::Flush(std::vector<float>& out) {
	if (audible_.size() > 1 && !audible_[0].held.empty()) Mix(out);
}

void Downmix::Mix(std::vector<float>& out) {
	const size_t count = audible_[0].held.size();
	std::vector<float> sum = audible_[0].held;
	for (size_t c = 1; c < audible_.size(); c++) {
		Channel& channel = audible_[c];
		double energy = 0, common = 0;
		for (size_t i = 0; i < count; i++) {
			const double before = sum[i], more = channel.held[i];
			energy += before * before + more * more;
			common += 2 * before * more;
		}
		const double as_is = energy + common, inverted = energy - common;
		const float was = channel.sign;
		if (inverted > kInvertRatio * as_is) channel.sign = -1;
		else if (as_is > kRevertRatio * inverted) channel.sign = 1;
		const size_t fade = begun_ && channel.sign != was ? std::min(fade_, count) : 0;
		for (size_t i = 0; i < fade; i++) {
			const float share = static_cast<float>(i) / static_cast<float>(fade);
			sum[i] += channel.held[i] * (was + (channel.sign - was) * share);
		}
		for (size_t i = fade; i < count; i++) sum[i] += channel.held[i] * channel.sign;
		channel.held.clear();
	}
	audible_[0].held.clear();
	begun_ = true;
	out.insert(out.end(), sum.begin(), sum.end());
}

}  // namespace earshot::audio
