// A matrix of half floats times several vectors, read once for all of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/width.h"

namespace earshot {

/** Whether there is a kernel for rows of that many numbers. */
bool CanMultiply(size_t columns);

/**
 * products[v][row] = the row times vectors[v], in f32. `matrix`: rows of `columns` half floats (IEEE's 16 bits), one
 * after the other. The numbers of the vectors become the nearest half floats first, as ggml has it. Only where
 * CanMultiply says so. `widest`: at least kAvx2, at most WidestKernels.
 */
void Multiply(const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products,
	size_t count, Kernels widest = WidestKernels());

}  // namespace earshot
