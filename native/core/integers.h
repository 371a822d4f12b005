// The widths of integers that an engine may multiply with in place of floats.
#pragma once

namespace earshot {

/**
 * Processors with AVX-512 VNNI add up products of pairs of 16-bit integers (fours of 8-bit ones) in one instruction,
 * at twice (four times) the speed of f32. Numbers are rounded to steps of their own block of a row, weights to steps of
 * their row of the matrix: in 16 bits a product is off by about as much as one of half floats.
 */
enum class Integers { k16, k8 };

}  // namespace earshot
