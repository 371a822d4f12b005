// Matrices of ggml's Q8_0, laid out for the processor's integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "kernels/int_matrix.h"

struct ggml_context;
struct ggml_tensor;

namespace earshot {

/**
 * The same integers and scales as a tensor of Q8_0 (one scale for 32 numbers of a row), 32 rows interleaved. Vectors are
 * rounded as ggml rounds them, to 8 bits in blocks of 32, so that products are those of ggml but for the order in which
 * they are added up. Only where HasIntegers. Any thread.
 */
class Q8Matrix {
public:
	/** Rows in all, and numbers of a row, a multiple of 32. */
	Q8Matrix(size_t rows, size_t columns, Line* memory) : rows_(rows), columns_(columns), memory_(memory) {}

	/** products[v][row] = the row times vectors[v], of the rows of one of so many `parts`. */
	void Multiply(const float* const* vectors, float* const* products, size_t count, size_t part = 0,
		size_t parts = 1) const;

	/** `row`: as ggml has it. */
	void SetRow(size_t n, const void* row);
	/** Its numbers. */
	void ReadRow(size_t n, float* numbers) const;

	static size_t Lines(size_t rows, size_t columns);
	size_t rows() const { return rows_; }
	size_t columns() const { return columns_; }

private:
	size_t rows_, columns_;
	Line* memory_;
};

/** By the tensors that they were made of. */
class Q8Matrices {
public:
	/** Of tensors of Q8_0 in memory, which need not be kept. */
	explicit Q8Matrices(const std::vector<const ggml_tensor*>& tensors);

	/** nullptr for none. */
	const Q8Matrix* Find(const ggml_tensor* tensor) const;
	size_t bytes() const { return memory_.size() * sizeof(Line); }

private:
	std::vector<Line> memory_;
	std::unordered_map<const ggml_tensor*, Q8Matrix> matrices_;
};

/** Whether Q8Matrices can be made of it here, where it is in memory. */
bool CanInterleave(const ggml_tensor* tensor);

// Nodes of graphs, which the matrix must outlive.

/** Those rows of it. `numbers`: of rows, of I32. */
ggml_tensor* LookUpRows(ggml_context* context, const Q8Matrix& matrix, ggml_tensor* numbers);

/** The matrix times each row of `rows`. */
ggml_tensor* MultiplyRows(ggml_context* context, const Q8Matrix& matrix, ggml_tensor* rows);

/** Of what MultiplyRows has made, whose rows are its first source; nullptr for others. */
const Q8Matrix* Q8MatrixOf(const ggml_tensor* node);

}  // namespace earshot
