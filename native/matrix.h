// A matrix of half floats times several vectors, each row of it read once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace earshot {

/** Most vectors at once. */
constexpr size_t kMostVectors = 4;

/** Whether the level that ggml is built for has a kernel for rows of that many numbers. */
bool CanMultiply(size_t columns);

/**
 * products[v][row] = the row times vectors[v], in f32. `matrix`: rows of `columns` half floats (IEEE's 16 bits), one
 * after the other. `count`: 1..kMostVectors. Only where CanMultiply says so.
 */
void Multiply(const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products,
	size_t count);

/** As ggml does before it multiplies with half floats: each number becomes the nearest of them. */
void RoundToHalf(const float* numbers, size_t count, float* rounded);

}  // namespace earshot
