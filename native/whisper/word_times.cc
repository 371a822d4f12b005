// When tokens were said: by attention where it is known which heads look at the word, else by sound and length.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/clip.h"
#include "whisper/internals.h"

namespace earshot {

namespace {

constexpr size_t kFrameSamples = kSampleRate / 100;
constexpr double kFrame = 0.01;
constexpr double kAttentionFrame = 0.02;
/** openai/whisper timing.py: medfilt_width. */
constexpr int kMedianWidth = 7;
/** Silence of this many frames parts words; shorter ones are stops within a word. */
constexpr size_t kPauseFrames = 6;
/** A border between words moves to a pause this near, in sounding frames. */
constexpr size_t kSnapFrames = 15;

/** Over the rows of each head and frame: mean 0, deviation 1. */
void Normalise(Attention& attention) {
	for (size_t head = 0; head < attention.heads; head++) {
		for (size_t frame = 0; frame < attention.frames; frame++) {
			double sum = 0, squares = 0;
			for (size_t row = 0; row < attention.rows; row++) {
				const double weight = attention.At(head, row, frame);
				sum += weight;
				squares += weight * weight;
			}
			const double mean = sum / static_cast<double>(attention.rows);
			const double deviation = std::sqrt(std::max(0.0, squares / static_cast<double>(attention.rows) - mean * mean));
			for (size_t row = 0; row < attention.rows; row++) {
				float& weight = attention.At(head, row, frame);
				weight = deviation > 0 ? static_cast<float>((weight - mean) / deviation) : 0.0F;
			}
		}
	}
}

/** Along the frames, the ends reflected. Left alone when there are too few, as OpenAI does. */
void FilterMedian(float* row, size_t frames) {
	constexpr auto half = static_cast<int64_t>(kMedianWidth / 2);
	const auto count = static_cast<int64_t>(frames);
	if (count <= half) return;
	const std::vector<float> source(row, row + frames);
	float window[kMedianWidth];
	for (int64_t at = 0; at < count; at++) {
		for (int64_t k = -half; k <= half; k++) {
			int64_t from = std::abs(at + k);
			if (from >= count) from = 2 * (count - 1) - from;
			window[k + half] = source[static_cast<size_t>(from)];
		}
		std::nth_element(window, window + half, window + kMedianWidth);
		row[at] = window[half];
	}
}

/** The first frame of each row on the cheapest way through `cost` (rows × frames), one step at a time. */
std::vector<size_t> WarpInTime(const std::vector<float>& cost, size_t rows, size_t frames) {
	const size_t width = frames + 1;
	std::vector<float> total((rows + 1) * width, std::numeric_limits<float>::infinity());
	std::vector<uint8_t> trace((rows + 1) * width, 2);
	total[0] = 0;
	for (size_t row = 1; row <= rows; row++) {
		for (size_t frame = 1; frame <= frames; frame++) {
			const float both = total[(row - 1) * width + frame - 1];
			const float down = total[(row - 1) * width + frame];
			const float along = total[row * width + frame - 1];
			const bool diagonal = both < down && both < along;
			const bool vertical = !diagonal && down < both && down < along;
			trace[row * width + frame] = diagonal ? 0 : vertical ? 1 : 2;
			total[row * width + frame] =
				cost[(row - 1) * frames + frame - 1] + (diagonal ? both : vertical ? down : along);
		}
	}
	std::vector<size_t> first(rows, 0);
	size_t row = rows, frame = frames;
	while (row > 0 || frame > 0) {
		if (row > 0 && frame > 0) first[row - 1] = frame - 1;
		const uint8_t step = row == 0 ? 2 : frame == 0 ? 1 : trace[row * width + frame];
		if (step != 2) row--;
		if (step != 1) frame--;
	}
	return first;
}

}  // namespace

std::vector<TokenSpan> AlignByAttention(Attention attention, size_t first_row, size_t tokens) {
	const size_t frames = attention.frames;
	if (tokens == 0 || frames == 0 || attention.heads == 0 || first_row + tokens + 1 > attention.rows) return {};
	Normalise(attention);
	const size_t rows = tokens + 1;
	std::vector<float> cost(rows * frames, 0.0F);
	for (size_t head = 0; head < attention.heads; head++) {
		for (size_t row = 0; row < rows; row++) {
			float* weights = &attention.At(head, first_row + row, 0);
			FilterMedian(weights, frames);
			for (size_t frame = 0; frame < frames; frame++) {
				cost[row * frames + frame] -= weights[frame] / static_cast<float>(attention.heads);
			}
		}
	}
	const std::vector<size_t> first = WarpInTime(cost, rows, frames);
	std::vector<TokenSpan> spans;
	for (size_t token = 0; token < tokens; token++) {
		spans.push_back({static_cast<double>(first[token]) * kAttentionFrame,
			static_cast<double>(first[token + 1]) * kAttentionFrame});
	}
	return spans;
}

// ---- sound -------------------------------------------------------------------------------------

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
	// Above the noise and 26 dB below the loudest, but where all is loud all is sound.
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
	return {std::max(span.start, static_cast<double>(first) * kFrame), std::min(span.end, static_cast<double>(last) * kFrame)};
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
	std::vector<size_t> borders{0};  // positions in `frames`
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

// ---- repetition --------------------------------------------------------------------------------

namespace {

constexpr size_t kLongestCycle = 64;
/** Speech that may well repeat is shorter. */
constexpr size_t kLoopTokens = 20;
constexpr size_t kLoopRounds = 4;

size_t LeastRun(size_t cycle) { return std::max(kLoopTokens, kLoopRounds * cycle); }

}  // namespace

bool EndsInLoop(const int32_t* tokens, size_t count) {
	for (size_t cycle = 1; cycle <= kLongestCycle && LeastRun(cycle) + cycle <= count; cycle++) {
		size_t run = 0;
		while (run < LeastRun(cycle) && tokens[count - 1 - run] == tokens[count - 1 - run - cycle]) run++;
		if (run == LeastRun(cycle)) return true;
	}
	return false;
}

std::vector<std::pair<size_t, size_t>> FindLoops(const std::vector<int32_t>& tokens) {
	std::vector<std::pair<size_t, size_t>> loops;
	for (size_t at = 0; at < tokens.size();) {
		size_t end = at;
		for (size_t cycle = 1; cycle <= kLongestCycle && end == at; cycle++) {
			size_t run = 0;
			while (at + cycle + run < tokens.size() && tokens[at + run] == tokens[at + cycle + run]) run++;
			if (run < LeastRun(cycle)) continue;
			loops.emplace_back(at + cycle, at + cycle + run);
			end = at + cycle + run;
		}
		at = end == at ? at + 1 : end;
	}
	return loops;
}

}  // namespace earshot
