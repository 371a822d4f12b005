// Products of 8-bit integers by Intel's Advanced Matrix Extensions (AMX): 16 rows times 16 columns in one instruction.
#pragma once

#include <cstddef>

#include "kernels/int_matrix.h"

namespace earshot {

/**
 * Whether the processor has the instructions, the system lets this process use them, and they multiply blocks of that
 * length sooner than vectors do: not those of 16 bits, whose four products of bytes are stored at the end of each block.
 */
bool FitTiles(Integers integers, size_t length);

/** As MultiplyPanel with 8 bits, to the same last bit: sums of integers have no rounding. */
void MultiplyPanelByTiles(size_t blocks, size_t length, const IntRows& rows, size_t count, const IntPanel& panel,
	float* out, size_t stride, size_t columns, bool add);

}  // namespace earshot
