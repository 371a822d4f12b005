// Called by whisper.cpp instead of ggml's functions. Outside of DecodeHooks they do the same as ggml's.
#pragma once

#include <cstddef>
#include <cstdint>

#include <ggml-backend.h>
#include <ggml.h>

namespace earshot::upstream {

void GetTensor(const ggml_tensor* tensor, void* data, size_t offset, size_t size);
void ClearBuffer(ggml_backend_buffer_t buffer, uint8_t value);
ggml_status Compute(ggml_backend_sched_t sched, ggml_cgraph* graph);
ggml_tensor* FlashAttention(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale, float max_bias, float softcap);
void Expand(ggml_cgraph* graph, ggml_tensor* tensor);
ggml_tensor* MultiplyMatrices(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows);
ggml_tensor* LookUp(ggml_context* context, ggml_tensor* table, ggml_tensor* numbers);
void* FindProcedure(ggml_backend_reg_t library, const char* name);

/** ggml_mul_mat, also if the weights have been replaced by a Q8Matrix. */
ggml_tensor* Multiply(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows);

}  // namespace earshot::upstream
