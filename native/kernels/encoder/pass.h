// One clip on its way through the encoder, on one thread or several.
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

/** Positions that go through the linear layers of a block of the encoder together, at most: fewer read the weights more
 * often, of more what is between would not stay in the processor's cache. */
constexpr size_t kRows = 128;
/** The same where threads share the work out. */
constexpr size_t kSharedRows = 64;
/** Positions of a block of the values of attention. */
constexpr size_t kPositions = 64;
static_assert(kRows % kPanel == 0 && kSharedRows % kPanel == 0);
static_assert(kRows % kPositions == 0 && kSharedRows % kPositions == 0);
/** Positions whose attention is computed together. */
constexpr size_t kQueries = 32;

/** Of a matrix of `rows`, how many are multiplied before their products are used, while those are in the processor's
 * cache: whole panels, and whole pieces of `piece`. */
constexpr size_t Strip(size_t piece, size_t rows) { return std::min(std::lcm(piece, kPanel), rows); }

/** What a thread has for itself. */
struct Scratch {
	Scratch(Allocator& memory, const EncoderWeights& weights, size_t positions);

	float *numbers, *norm;
	RowStore by_state, by_hidden, by_cross;
	float* scores;
	RowStore probabilities;
};

/** What is encoded, and where to: see IntEncoder::Run. */
struct Job {
	const float* mel = nullptr;
	float* out = nullptr;
	CrossAttention cross{};
	const Cancel* cancel = nullptr;
};

/** Stages follow one another; the units of a stage are any thread's. */
class Pass {
public:
	Pass(const EncoderWeights& weights, Allocator& memory, size_t positions, size_t threads);

	/** On fewer than `threads` where the system gives no more. Returns early once it is cancelled. */
	void Run(const Job& job, size_t threads);

private:
	void Work(Scratch& scratch, std::barrier<>& together);

	// The stages, one unit of them.
	void RoundMel(Scratch& scratch, size_t unit);
	void Convolve(Scratch& scratch, size_t unit);
	/** All that positions do by themselves between the attention of the layer before and that of `layer`. */
	void Advance(Scratch& scratch, size_t unit, size_t layer);
	void Attend(Scratch& scratch, size_t unit);

	// Their parts, of `count` positions.
	/** From the attention of the layer to its end, into `stream`. */
	void FinishLayer(const Layer& layer, const float* attended, float* stream, size_t count, Scratch& scratch) const;
	/** The queries, keys and values of the layer. */
	void StartLayer(const Layer& layer, Scratch& scratch, size_t first, size_t count);
	/** The output, and what the decoder's cross-attention reads. */
	void MakeCross(Scratch& scratch, size_t first, size_t count) const;
	/** Into scratch.by_state. */
	void NormaliseRows(const Norm& norm, const float* stream, size_t count, Scratch& scratch) const;
	/** The products' GELU, rounded, as the rows of `to` from `at` on. */
	void Activate(const IntMatrix& matrix, const IntRows& rows, size_t count, const Blocks& blocks, const RowStore& to,
		size_t at, Scratch& scratch) const;

	size_t KeyLines() const { return PanelLines(Integers::k16, weights_.by_head.count, weights_.by_head.length); }
	static size_t ValueLines(size_t blocks) { return PanelLines(Integers::k16, blocks, kPositions); }
	/** Panels that the numbers of a head take. */
	size_t Parts() const { return (weights_.width + kPanel - 1) / kPanel; }

	const EncoderWeights& weights_;
	const size_t positions_;
	/** Of a unit. */
	const size_t rows_;
	const size_t panels_;
	const Blocks by_position_;
	Job job_;
	/** Rounded, with a frame of nothing before and after. */
	RowStore frames_, sounds_;
	/** Positions × state. */
	float* stream_;
	/** By head and position. */
	RowStore queries_;
	/** Panels of positions, by head. */
	Line* keys_;
	float* key_scales_;
	/** By head and part of kPanel numbers, blocks of positions. */
	Line* values_;
	float* value_scales_;
	/** Positions × state. */
	float* attended_;
	std::vector<std::atomic<size_t>> taken_;
	std::vector<Scratch> scratch_;
};

}  // namespace earshot::encoder
