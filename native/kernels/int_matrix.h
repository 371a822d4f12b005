// Matrices in integers of 16 or 8 bits, times rows of numbers that are rounded as they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/integers.h"

namespace earshot {

/** Whether the processor has the instructions. Nothing else below may be called without. */
bool HasIntegers();

/** How a row is cut: `count` blocks of `length` numbers, the last of them filled up with zeros. */
struct Blocks {
	Blocks(Integers integers, size_t width);
	/** Of a `length` that kLanes divides. */
	Blocks(size_t width, size_t length) : width(width), count((width + length - 1) / length), length(length) {}

	size_t width, count, length;
	size_t Padded() const { return count * length; }
	/** The blocks that `some` numbers take, cut alike. */
	Blocks Part(size_t some) const { return {some, length}; }
};

/** A memory line, as vectors want to read it. */
struct alignas(64) Line {
	uint8_t bytes[64];
};

// ---- rows ----------------------------------------------------------------------------------------

/** Rounded rows. Each is `stride` bytes and `scale_stride` scales behind the one before, which it may overlap. */
struct IntRows {
	const uint8_t* numbers;
	size_t stride;
	/** Of each block. */
	const float* scales;
	size_t scale_stride;
};

/** Bytes of a rounded row. */
size_t RowBytes(Integers integers, const Blocks& blocks);

/** Rounds `blocks.width` numbers. */
void RoundRow(Integers integers, const Blocks& blocks, const float* row, uint8_t* numbers, float* scales);

// ---- panels --------------------------------------------------------------------------------------

/** Rows of a matrix that are multiplied side by side. */
constexpr size_t kPanel = 32;

/** kPanel rows of `blocks` × `length` numbers, interleaved. */
struct IntPanel {
	const Line* numbers;
	/** kPanel each, or `scales` kPanel for each block. `bias` may be null. */
	const float *scales, *bias;
	/** Of 8 bits, kPanel for each block: what the products have too much. */
	const int32_t* excess;
	bool scales_by_block = false;
};

size_t PanelLines(Integers integers, size_t blocks, size_t length);

/** Puts a row of `segments` times `blocks.width` numbers at place `at` of a panel, and what it has too much at that of
 * `excess`, which is null for 16 bits. Returns its scale. */
float PackRow(Integers integers, const Blocks& blocks, size_t segments, const float* row, size_t at, Line* numbers,
	int32_t* excess);

/** Puts `count` rows of `columns` numbers, at most `length` and kPanel, into a block of a panel of 16 bits: column n
 * becomes what row n of the panel has there. Sets the block's scales. */
void PackColumns(size_t length, const float* rows, size_t stride, size_t count, size_t columns, Line* numbers,
	float* scales);

/** out[r][n] = row r · row n of the panel + bias[n], or that much more where `add` is set, for n below `columns`. */
void MultiplyPanel(Integers integers, size_t blocks, size_t length, const IntRows& rows, size_t count,
	const IntPanel& panel, float* out, size_t stride, size_t columns, bool add);

// ---- matrices ------------------------------------------------------------------------------------

/** Weights in panels, with what is added to their products. */
class IntMatrix {
public:
	/** `row(n, numbers)` writes row n: `segments` times `blocks.width` numbers. `bias`: null for none. */
	IntMatrix(Integers integers, size_t rows, size_t segments, const Blocks& blocks,
		const std::function<void(size_t, float*)>& row, const float* bias);

	/** As MultiplyPanel, with all of the matrix. */
	void Multiply(const IntRows& rows, size_t count, float* out, size_t stride, bool add = false) const {
		MultiplySome(0, rows_, rows, count, out, stride, add);
	}
	/** With its rows from `first`, which begins a panel, to before `end`: the first of `out` is that of `first`. */
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
