// Encodes one window, on one thread or several.
#pragma once

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <numeric>
#include <vector>

#include "core/cancel.h"
#include "kernels/encoder/int_encoder.h"
#include "kernels/encoder/memory.h"
#include "kernels/encoder/weights.h"
#include "kernels/int_matrix.h"

namespace earshot::encoder {

/** Positions per unit of the linear layers: with fewer, weights are read more often; with more, intermediate results
 * exceed the cache. */
constexpr size_t kRows = 128;
/** The same with several threads. */
constexpr size_t kSharedRows = 64;
/** Positions per block of attention values. */
constexpr size_t kPositions = 64;
static_assert(kRows % kPanel == 0 && kSharedRows % kPanel == 0);
static_assert(kRows % kPositions == 0 && kSharedRows % kPositions == 0);
/** Positions per unit of attention. */
constexpr size_t kQueries = 32;

/** How many of a matrix's `rows` are multiplied before the products are used, while those are in the cache: a multiple of
 * kPanel and of `piece`. */
constexpr size_t Strip(size_t piece, size_t rows) { return std::min(std::lcm(piece, kPanel), rows); }

/** Buffers of one thread. */
struct Scratch {
	Scratch(Allocator& memory, const EncoderWeights& weights, size_t positions);

	float *numbers, *norm;
	RowStore by_state, by_hidden, by_cross;
	float* scores;
	RowStore probabilities;
};

/** Arguments of IntEncoder::Run. */
struct Job {
	const float* mel = nullptr;
	float* out = nullptr;
	CrossAttention cross{};
	const Cancel* cancel = nullptr;
};

/** Runs in stages with a barrier between them. A stage consists of units, which threads take one by one. */
class Pass {
public:
	Pass(const EncoderWeights& weights, Allocator& memory, size_t positions, size_t threads);

	/** Uses fewer than `threads` if the system refuses more. Returns early if cancelled. */
	void Run(const Job& job, size_t threads);

private:
	void Work(Scratch& scratch, std::barrier<>& together);

	// One unit of each stage.
	void RoundMel(Scratch& scratch, size_t unit);
	void Convolve(Scratch& scratch, size_t unit);
	/** Everything between the attention of the previous layer and that of `layer`. */
	void Advance(Scratch& scratch, size_t unit, size_t layer);
	void Attend(Scratch& scratch, size_t unit);

	// Parts of the stages, for `count` positions.
	/** From the layer's attention to its end; adds to `stream`. */
	void FinishLayer(const Layer& layer, const float* attended, float* stream, size_t count, Scratch& scratch) const;
	/** Queries, keys and values of the layer. */
	void StartLayer(const Layer& layer, Scratch& scratch, size_t first, size_t count);
	/** The output, and the decoder's cross-attention cache. */
	void MakeCross(Scratch& scratch, size_t first, size_t count) const;
	/** Result in scratch.by_state. */
	void NormaliseRows(const Norm& norm, const float* stream, size_t count, Scratch& scratch) const;
	/** Multiplies, applies GELU and rounds; result in the rows of `to` from `at` on. */
	void Activate(const IntMatrix& matrix, const IntRows& rows, size_t count, const Blocks& blocks, const RowStore& to,
		size_t at, Scratch& scratch) const;

	size_t KeyLines() const { return PanelLines(Integers::k16, weights_.by_head.count, weights_.by_head.length); }
	static size_t ValueLines(size_t blocks) { return PanelLines(Integers::k16, blocks, kPositions); }
	/** Panels per head. */
	size_t Parts() const { return (weights_.width + kPanel - 1) / kPanel; }

	const EncoderWeights& weights_;
	const size_t positions_;
	/** Positions per unit. */
	const size_t rows_;
	const size_t panels_;
	const Blocks by_position_;
	Job job_;
	/** Rounded mel frames and output of the first convolution, with a frame of zeros at both ends. */
	RowStore frames_, sounds_;
	/** Residual stream: positions × state. */
	float* stream_;
	/** By head and position. */
	RowStore queries_;
	/** Panels of positions, by head. */
	Line* keys_;
	float* key_scales_;
	/** Blocks of positions, by head and panel of its numbers. */
	Line* values_;
	float* value_scales_;
	/** Output of attention: positions × state. */
	float* attended_;
	std::vector<std::atomic<size_t>> taken_;
	std::vector<Scratch> scratch_;
};

}  // namespace earshot::encoder
