// f32 operations on rows, between the encoder's matrix products.
#pragma once

#include <cstddef>
#include <cstdint>

namespace earshot::encoder {

/** Layer normalisation: out = (row - mean) / standard deviation · weight + bias. */
void Normalise(const float* row, size_t width, const float* weight, const float* bias, float* out);

/** Converts numbers · scale to half floats. */
void ToHalf(const float* numbers, size_t count, float scale, uint16_t* halves);

/** numbers += more */
void AddTo(float* numbers, const float* more, size_t count);

}  // namespace earshot::encoder
