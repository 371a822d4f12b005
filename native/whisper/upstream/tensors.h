// Weights where they lie in memory.
#pragma once

#include <cstddef>
#include <vector>

struct ggml_tensor;

namespace earshot {

/** Whether the processor can read it where it lies. */
bool InMemory(const ggml_tensor* tensor);

/** A matrix of f16 or f32 in memory that Q8_0 divides evenly. */
bool CanQuantise(const ggml_tensor* tensor);

/** To Q8_0, as whisper.cpp's own tool writes it, where the tensor lies. Returns the bytes given back to the system.
 * No other thread may read the tensor meanwhile. */
size_t QuantiseInPlace(ggml_tensor* tensor);

/** They are read often and whole: in large pages, where they lie beside each other. */
void PreferLargePages(const std::vector<const ggml_tensor*>& tensors);

/** The tensor is never read again. Returns the bytes given back to the system. */
size_t ReleaseWeights(const ggml_tensor* tensor);

}  // namespace earshot
