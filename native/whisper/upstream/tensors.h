// Weights in memory.
#pragma once

#include <cstddef>
#include <vector>

struct ggml_tensor;

namespace earshot {

/** Whether it is in CPU memory, in plain layout. */
bool InMemory(const ggml_tensor* tensor);

/** Whether it is an f16 or f32 matrix in memory whose rows are a multiple of Q8_0's blocks. */
bool CanQuantise(const ggml_tensor* tensor);

/** Converts it to Q8_0, with the same result as whisper.cpp's tool. Returns the bytes released. No other thread may read
 * the tensor meanwhile. */
size_t QuantiseInPlace(ggml_tensor* tensor);

/** Backs adjacent tensors with huge pages. */
void UseHugePages(const std::vector<const ggml_tensor*>& tensors);

/** Releases the memory of a tensor that is never read again. Returns the bytes released. */
size_t ReleaseWeights(const ggml_tensor* tensor);

}  // namespace earshot
