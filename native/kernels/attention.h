// Attention of a single token over keys and values in half floats.
#pragma once

struct ggml_tensor;

namespace earshot {

/**
 * Whether Attend can compute `node`: a GGML_OP_FLASH_ATTN_EXT of one token without bias or softcap, over keys and values in
 * half floats with adjacent heads, on a processor with AVX-512.
 */
bool CanAttend(const ggml_tensor* node);

/** Accumulates in f32, unlike ggml, and reads each row of keys and values once for all heads. */
void Attend(ggml_tensor* node);

}  // namespace earshot
