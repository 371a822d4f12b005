// Multiplies a matrix of half floats with several vectors, reading it from memory once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/width.h"

namespace earshot {

/** Whether there is a kernel for rows of `columns` numbers on this processor. */
bool CanMultiply(size_t columns);

/**
 * products[v][row] = row · vectors[v], accumulated in f32. `matrix`: row-major IEEE half floats. The vectors are rounded to
 * half floats first, as ggml does. Requires CanMultiply. `widest`: at least kAvx2, at most WidestKernels.
 */
void Multiply(const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products,
	size_t count, Kernels widest = WidestKernels());

}  // namespace earshot
