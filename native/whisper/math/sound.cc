#include "whisper/math/sound.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/clip.h"

namespace earshot {

namespace {

constexpr size_t kFrameSamples = kSampleRate / 100;
constexpr double kFrame = 0.01;
/** A pause between words has at least this many frames; shorter ones occur within words. */
constexpr size_t kPauseFrames = 6;
/** How far a border between words may move to a pause, in loud frames. */
constexpr size_t kSnapFrames = 15;

}  // namespace

Sound::Sound(const float* samples, size_t size) {
	std::vector<float> levels;
	for (size_t at = 0; at < size; at += kFrameSamples) {
		const size_t end = std::min(size, at + kFrameSamples);
		double squares = 0;
		for (size_t i = at; i < end; i++) squares += static_cast<double>(samples[i]) * samples[i];
		levels.push_back(static_cast<float>(std::sqrt(squares / static_cast<double>(end - at))));
	}
	if (levels.empty()) return;
	std::vector<float> sorted = levels;
	std::sort(sorted.begin(), sorted.end());
	const float floor = sorted[sorted.size() / 10];
	const float peak = sorted[sorted.size() - 1 - sorted.size() / 20];
	// Above the noise floor and 26 dB below the peak; at most half the peak, for clips without silence.
	const float threshold = std::min(std::max({2 * floor, peak / 20, 1e-4F}), std::max(peak / 2, 1e-4F));
	for (const float level : levels) sounds_.push_back(level >= threshold);
}

size_t Sound::FrameOf(double seconds) const {
	return static_cast<size_t>(std::clamp(std::lround(seconds / kFrame), 0L, static_cast<long>(sounds_.size())));
}

bool Sound::Any(double start, double end) const {
	return std::find(sounds_.begin() + static_cast<int64_t>(FrameOf(start)),
		sounds_.begin() + static_cast<int64_t>(std::max(FrameOf(start), FrameOf(end))), true) !=
		sounds_.begin() + static_cast<int64_t>(std::max(FrameOf(start), FrameOf(end)));
}

TokenSpan Sound::Trim(TokenSpan span) const {
	size_t first = FrameOf(span.start), last = FrameOf(span.end);
	while (first < last && !sounds_[first]) first++;
	if (first == last) return span;
	while (last > first && !sounds_[last - 1]) last--;
	return {std::max(span.start, static_cast<double>(first) * kFrame),
		std::min(span.end, static_cast<double>(last) * kFrame)};
}

std::vector<TokenSpan> Sound::Spread(const std::vector<TokenShape>& tokens, double start, double end) const {
	std::vector<size_t> frames;
	const size_t from = FrameOf(start), to = std::max(from, FrameOf(end));
	for (size_t frame = from; frame < to; frame++) {
		if (sounds_[frame]) frames.push_back(frame);
	}
	if (frames.empty()) {
		for (size_t frame = from; frame < to; frame++) frames.push_back(frame);
	}
	if (frames.empty()) return std::vector<TokenSpan>(tokens.size(), {start, end});

	double whole = 0;
	for (const TokenShape& token : tokens) whole += token.length;
	std::vector<size_t> borders{0};  // indices into `frames`
	double before = 0;
	for (size_t token = 1; token < tokens.size(); token++) {
		before += tokens[token - 1].length;
		auto border = static_cast<size_t>(static_cast<double>(frames.size()) * before / std::max(whole, 1e-9));
		if (tokens[token].begins_word) {
			const size_t nearest = NearestPause(frames, border);
			if (nearest != 0) border = nearest;
		}
		borders.push_back(std::clamp(border, borders.back(), frames.size() - 1));
	}
	borders.push_back(frames.size());
	std::vector<TokenSpan> spans;
	for (size_t token = 0; token < tokens.size(); token++) {
		const size_t first = frames[std::min(borders[token], frames.size() - 1)];
		const size_t last = borders[token + 1] > borders[token] ? frames[borders[token + 1] - 1] + 1 : first;
		spans.push_back({std::clamp(static_cast<double>(first) * kFrame, start, end),
			std::clamp(static_cast<double>(last) * kFrame, start, end)});
	}
	return spans;
}

size_t Sound::NearestPause(const std::vector<size_t>& frames, size_t border) {
	for (size_t far = 0; far <= kSnapFrames; far++) {
		for (const size_t at : {border + far, border - std::min(far, border)}) {
			if (at > 0 && at < frames.size() && frames[at] - frames[at - 1] > kPauseFrames) return at;
		}
	}
	return 0;
}

}  // namespace earshot
