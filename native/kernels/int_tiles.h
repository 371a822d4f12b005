// 8-bit products by Intel's Advanced Matrix Extensions (AMX): 16 × 16 sums per instruction.
#pragma once

#include <cstddef>

#include "kernels/int_matrix.h"

namespace earshot {

/**
 * Whether processor and system support AMX, and it is faster than vectors for blocks of this length. Never for 16 bits,
 * which would take four products of bytes, stored after each block.
 */
bool FitTiles(Integers integers, size_t length);

/** As MultiplyPanel for 8 bits, with identical results, since sums of integers are exact. */
void MultiplyPanelByTiles(size_t blocks, size_t length, const IntRows& rows, size_t count, const IntPanel& panel,
	float* out, size_t stride, size_t columns, bool add);

}  // namespace earshot
