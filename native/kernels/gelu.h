// Vectorised GELU.
#pragma once

#include <cstddef>

struct ggml_context;
struct ggml_tensor;

namespace earshot {

/** x/2 · (1 + erf(x/√2)), as in OpenAI's Whisper, to 2e-7 · |x|. `to` may be `from`. Requires AVX-512. */
void Gelu(const float* from, size_t count, float* to);

/** Whether GeluNode can compute it: contiguous f32, on a processor with AVX-512. */
bool CanGelu(const ggml_tensor* numbers);

/** As ggml_gelu, in f32, where ggml uses a lookup table of half floats. */
ggml_tensor* GeluNode(ggml_context* context, ggml_tensor* numbers);

}  // namespace earshot
