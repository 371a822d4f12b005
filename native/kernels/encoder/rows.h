// Rows of numbers in f32, as the encoder works on them between its matrices.
#pragma once

#include <cstddef>
#include <cstdint>

namespace earshot::encoder {

/** out = row, shifted and scaled to mean 0 and variance 1, times `weight` plus `bias`. */
void Normalise(const float* row, size_t width, const float* weight, const float* bias, float* out);

/** In half floats, times `scale`. */
void ToHalf(const float* numbers, size_t count, float scale, uint16_t* halves);

void AddTo(float* numbers, const float* more, size_t count);

}  // namespace earshot::encoder
