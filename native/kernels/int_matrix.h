// Products of matrices in 16- or 8-bit integers with rows that are rounded on the fly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/integers.h"

namespace earshot {

/** Whether the processor has AVX-512 VNNI, which everything else below requires. */
bool HasIntegers();

/** Division of a row into `count` blocks of `length` numbers, the last one padded with zeros. */
struct Blocks {
	Blocks(Integers integers, size_t width);
	/** `length`: a multiple of kLanes. */
	Blocks(size_t width, size_t length) : width(width), count((width + length - 1) / length), length(length) {}

	size_t width, count, length;
	size_t Padded() const { return count * length; }
	/** Blocks of the same length for `some` numbers. */
	Blocks Part(size_t some) const { return {some, length}; }
};

/** A cache line. */
struct alignas(64) Line {
	uint8_t bytes[64];
};

// ---- rows ----------------------------------------------------------------------------------------

/** Rounded rows, `stride` bytes and `scale_stride` scales apart. They may overlap. */
struct IntRows {
	const uint8_t* numbers;
	size_t stride;
	/** One per block. */
	const float* scales;
	size_t scale_stride;
};

/** Bytes of a rounded row. */
size_t RowBytes(Integers integers, const Blocks& blocks);

/** Rounds `blocks.width` numbers. */
void RoundRow(Integers integers, const Blocks& blocks, const float* row, uint8_t* numbers, float* scales);

// ---- panels --------------------------------------------------------------------------------------

/** Rows of a matrix that are interleaved. */
constexpr size_t kPanel = 32;

/** kPanel rows of `blocks` × `length` numbers, interleaved. */
struct IntPanel {
	const Line* numbers;
	/** kPanel of each; with `scales_by_block` kPanel scales per block. `bias` may be null. */
	const float *scales, *bias;
	/** 8 bits only: kPanel per block, initial sums that compensate for the unsigned representation of the rows. */
	const int32_t* offsets;
	bool scales_by_block = false;
};

size_t PanelLines(Integers integers, size_t blocks, size_t length);

/** Rounds a row of `segments` times `blocks.width` numbers into place `at` of a panel, and sets its `offsets`, which are
 * null for 16 bits. Returns its scale. */
float PackRow(Integers integers, const Blocks& blocks, size_t segments, const float* row, size_t at, Line* numbers,
	int32_t* offsets);

/** Rounds and transposes `count` rows (at most `length`) of `columns` numbers (at most kPanel) into a block of a 16-bit
 * panel: column n becomes row n of the panel. Sets the block's scales. */
void PackColumns(size_t length, const float* rows, size_t stride, size_t count, size_t columns, Line* numbers,
	float* scales);

/** out[r][n] = row r · row n of the panel + bias[n] for n below `columns`; with `add`, adds that to out[r][n]. */
void MultiplyPanel(Integers integers, size_t blocks, size_t length, const IntRows& rows, size_t count,
	const IntPanel& panel, float* out, size_t stride, size_t columns, bool add);

// ---- matrices ------------------------------------------------------------------------------------

/** Weights in panels, and the bias. */
class IntMatrix {
public:
	/** `row(n, numbers)` writes row n: `segments` times `blocks.width` numbers. `bias`: null for none. */
	IntMatrix(Integers integers, size_t rows, size_t segments, const Blocks& blocks,
		const std::function<void(size_t, float*)>& row, const float* bias);

	/** As MultiplyPanel, for the whole matrix. */
	void Multiply(const IntRows& rows, size_t count, float* out, size_t stride, bool add = false) const {
		MultiplySome(0, rows_, rows, count, out, stride, add);
	}
	/** The same for rows `first`, a multiple of kPanel, up to but not including `end`; `out` starts with row `first`. */
	void MultiplySome(size_t first, size_t end, const IntRows& rows, size_t count, float* out, size_t stride,
		bool add = false) const;
	size_t rows() const { return rows_; }
	size_t bytes() const { return numbers_.size() * sizeof(Line); }

private:
	Integers integers_;
	size_t rows_, blocks_, length_;
	std::vector<Line> numbers_;
	std::vector<float> scales_, bias_;
	std::vector<int32_t> excess_;
};

}  // namespace earshot
