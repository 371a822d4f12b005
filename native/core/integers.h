// Integer widths for matrix products.
#pragma once

namespace earshot {

/**
 * AVX-512 VNNI multiplies and accumulates pairs of 16-bit integers (groups of four 8-bit ones) in one instruction, at
 * twice (four times) the speed of f32. Activations are scaled per block of a row, weights per row of the matrix: the
 * error of 16 bits is about that of half floats.
 */
enum class Integers { k16, k8 };

}  // namespace earshot
