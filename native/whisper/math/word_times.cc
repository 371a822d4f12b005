#include "whisper/math/word_times.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace earshot {

namespace {

constexpr double kAttentionFrame = 0.02;
/** openai/whisper timing.py: medfilt_width. */
constexpr int kMedianWidth = 7;

/** To mean 0 and deviation 1 over the rows, for each head and frame. */
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

/** Along the frames, with reflected ends. Unchanged if there are too few, as in timing.py. */
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

/** Dynamic time warping: the first frame of each row on the cheapest path through `cost` (rows × frames). */
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

void KeepApart(const std::vector<TokenSpan*>& spans, double start, double end) {
	if (spans.empty()) return;
	const double least = std::min(kAttentionFrame, std::max(0.0, end - start) / static_cast<double>(spans.size()));
	double earliest = start;
	for (TokenSpan* span : spans) {
		span->start = std::max(span->start, earliest);
		span->end = earliest = std::max(span->end, span->start + least);
	}
	double latest = end;
	for (auto span = spans.rbegin(); span != spans.rend(); span++) {
		(*span)->end = std::min((*span)->end, latest);
		(*span)->start = latest = std::min((*span)->start, (*span)->end - least);
	}
}

}  // namespace earshot
