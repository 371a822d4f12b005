// When tokens were said, by where the decoder looked while it said them.
#pragma once

#include <cstddef>
#include <vector>

namespace earshot {

/** In seconds. */
struct TokenSpan {
	double start, end;
};

/** Weights of cross-attention: for each head and decoder position (row) one for each 20 ms of audio (frame). */
struct Attention {
	size_t heads = 0, rows = 0, frames = 0;
	std::vector<float> weights;

	float& At(size_t head, size_t row, size_t frame) { return weights[(head * rows + row) * frames + frame]; }
};

/**
 * Times of `tokens` tokens by OpenAI's definition (timing.py): the weights normalised over the positions, smoothed,
 * averaged, and warped in time. Row `first_row` is the position that says the first of them; one row follows the
 * last. Empty when there is nothing to align.
 */
std::vector<TokenSpan> AlignByAttention(Attention attention, size_t first_row, size_t tokens);

/**
 * Makes spans, in their order, last 20 ms each, or what is there for each, without overlaps between `start` and `end`:
 * warping gives tokens no time at all where a text repeats itself. Spans that have their time stay where they are.
 */
void KeepApart(const std::vector<TokenSpan*>& spans, double start, double end);

}  // namespace earshot
