// GELU in vectors.
#pragma once

#include <cstddef>

struct ggml_tensor;

namespace earshot {

/** x/2 · (1 + erf(x/√2)), as OpenAI's, to 2e-7 · |x|. `to` may be `from`. Only where CanGelu could say so. */
void Gelu(const float* from, size_t count, float* to);

/** Whether `node` is a GELU that ComputeGelu can compute: of f32, at a level with AVX-512. */
bool CanGelu(const ggml_tensor* node);

/** Computes it, in f32 where ggml looks half floats up, one after the other. */
void ComputeGelu(ggml_tensor* node);

}  // namespace earshot
