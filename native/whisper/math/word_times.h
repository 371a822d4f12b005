// Token times from the decoder's cross-attention.
#pragma once

#include <cstddef>
#include <vector>

namespace earshot {

/** In seconds. */
struct TokenSpan {
	double start, end;
};

/** Cross-attention weights: heads × decoder positions (rows) × frames of 20 ms. */
struct Attention {
	size_t heads = 0, rows = 0, frames = 0;
	std::vector<float> weights;

	float& At(size_t head, size_t row, size_t frame) { return weights[(head * rows + row) * frames + frame]; }
};

/**
 * Times of `tokens` tokens as in OpenAI's timing.py: weights are normalised over the positions, median-filtered, averaged
 * and aligned by dynamic time warping. `first_row`: the position that predicts the first token; one row follows the last.
 * Empty if there is nothing to align.
 */
std::vector<TokenSpan> AlignByAttention(Attention attention, size_t first_row, size_t tokens);

/**
 * Gives each span, in order and without overlaps, at least 20 ms between `start` and `end`, or an equal share if there is
 * less: time warping leaves tokens of repeated text without any time. Long enough spans stay where they are.
 */
void KeepApart(const std::vector<TokenSpan*>& spans, double start, double end);

}  // namespace earshot
