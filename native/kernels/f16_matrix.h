// Multiplies a matrix of half floats with several vectors, reading it from memory once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/width.h"

struct ggml_tensor;

namespace earshot {

/** Whether there is a kernel for rows of `columns` numbers on this processor. */
bool CanMultiply(size_t columns);

/**
 * products[v][row] = row · vectors[v], accumulated in f32, for the rows of part `part` of `parts`. `matrix`: row-major IEEE
 * half floats. The vectors are rounded to half floats first, as ggml does. Each product is summed in the same order
 * independent of `count` and `parts`. Requires CanMultiply. `widest`: at least kAvx2, at most WidestKernels.
 */
void Multiply(const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products,
	size_t count, size_t part = 0, size_t parts = 1, Kernels widest = WidestKernels());

/** Whether it can multiply these weights with each of `rows`. */
bool CanMultiply(const ggml_tensor* matrix, const ggml_tensor* rows);

}  // namespace earshot
