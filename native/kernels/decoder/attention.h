// Attention over keys and values in half floats.
#pragma once

struct ggml_context;
struct ggml_tensor;

namespace earshot {

/**
 * As ggml_flash_attn_ext without bias and softcap: softmax(scale · queries · keys) · values. Accumulates in f32, unlike
 * ggml, and reads each row of keys and values once for all heads and several queries. Each query is summed in the same
 * order, independent of other queries and of the number of threads. `mask`: f16, 0 for rows that are attended to; null
 * = all. Returns nullptr where it cannot: it needs AVX-512, keys and values in f16 with adjacent heads of 64 numbers,
 * and a scale of 1 or 64^-1/4, as in Whisper.
 */
ggml_tensor* AttendNode(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale);

}  // namespace earshot
