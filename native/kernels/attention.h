// Attention of one token to keys and values in half floats.
#pragma once

struct ggml_tensor;

namespace earshot {

/**
 * Whether `node` is a GGML_OP_FLASH_ATTN_EXT that Attend can compute: of one token, plain, over keys and values in half
 * floats whose heads lie side by side, at a level with AVX-512.
 */
bool CanAttend(const ggml_tensor* node);

/** Computes it, in f32 where ggml adds up half floats, and each row of keys and values read once for all heads. */
void Attend(ggml_tensor* node);

}  // namespace earshot
