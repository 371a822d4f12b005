// ggml's Q8_0 matrices, in a layout for AVX-512 VNNI.
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
 * The integers and scales of a Q8_0 tensor (one scale per 32 numbers of a row), 32 rows interleaved. Vectors are rounded as
 * ggml does, to 8 bits in blocks of 32, so products equal ggml's up to the order of summation. Requires HasIntegers. Any
 * thread.
 */
class Q8Matrix {
public:
	/** `columns` is a multiple of 32. */
	Q8Matrix(size_t rows, size_t columns, const Line* memory) : rows_(rows), columns_(columns), memory_(memory) {}

	/** products[v][row] = row · vectors[v], for the rows of part `part` of `parts`. */
	void Multiply(const float* const* vectors, float* const* products, size_t count, size_t part = 0,
		size_t parts = 1) const;

	/** Stores row `n` of a matrix in `memory`. `row`: in ggml's format. */
	static void SetRow(Line* memory, size_t columns, size_t n, const void* row);
	/** Dequantises row `n`. */
	void ReadRow(size_t n, float* numbers) const;

	static size_t Lines(size_t rows, size_t columns);
	size_t rows() const { return rows_; }
	size_t columns() const { return columns_; }

private:
	friend class Q8Matrices;

	size_t rows_, columns_;
	const Line* memory_;
};

/** Matrices by the tensors that they were made from. */
class Q8Matrices {
public:
	/** Copies Q8_0 tensors in memory, which may be freed afterwards. */
	explicit Q8Matrices(const std::vector<const ggml_tensor*>& tensors);

	/** nullptr if there is none. */
	const Q8Matrix* Find(const ggml_tensor* tensor) const;
	size_t bytes() const { return bytes_; }

	/** All matrices; null once they are read elsewhere. */
	const char* data() const { return reinterpret_cast<const char*>(memory_.data()); }
	/** Reads them from an equal copy from now on, which must outlive this object, and frees its own. Not while others read. */
	void ReadFrom(const char* copy);

private:
	size_t bytes_ = 0;
	std::vector<Line> memory_;
	std::unordered_map<const ggml_tensor*, Q8Matrix> matrices_;
};

/** Whether Q8Matrices can copy the tensor, if it is in memory, and this processor can use it. */
bool CanInterleave(const ggml_tensor* tensor);

/** Rows of the matrix as a node of a graph, like ggml_get_rows. `numbers`: I32. The matrix must outlive the graph. */
ggml_tensor* LookUpRows(ggml_context* context, const Q8Matrix& matrix, ggml_tensor* numbers);

}  // namespace earshot
