// Called by whisper.cpp instead of ggml's functions. Outside of DecodeHooks they do the same as ggml's.
#pragma once

#include <cstddef>
#include <cstdint>

#include <ggml-backend.h>
#include <ggml.h>

namespace earshot::upstream {

ggml_status Compute(ggml_backend_sched_t sched, ggml_cgraph* graph);
ggml_tensor* FlashAttention(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale, float max_bias, float softcap);
void Expand(ggml_cgraph* graph, ggml_tensor* tensor);
ggml_tensor* MultiplyMatrices(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows);
ggml_tensor* Gelu(ggml_context* context, ggml_tensor* numbers);
ggml_tensor* LookUp(ggml_context* context, ggml_tensor* table, ggml_tensor* numbers);
void* FindProcedure(ggml_backend_reg_t library, const char* name);

/** ggml_mul_mat, by our kernels where they can, also if the weights have been replaced by a Q8Matrix. */
ggml_tensor* Multiply(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows);

/** ggml_flash_attn_ext by our kernel; nullptr where it cannot. */
ggml_tensor* AttendByKernel(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale);

}  // namespace earshot::upstream
