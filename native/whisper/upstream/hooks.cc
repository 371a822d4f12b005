#include "whisper/upstream/hooks.h"

#include <string_view>

#include "kernels/decoder/attention.h"
#include "kernels/f16_matrix.h"
#include "kernels/gelu.h"
#include "kernels/decoder/products.h"
#include "whisper/upstream/calls.h"
#include "whisper/upstream/upstream.h"

namespace earshot::upstream {

namespace {

/** Of the clip that this thread runs, if any. */
thread_local DecodeHooks* hooks = nullptr;

thread_local bool plain_weights = false;

/** Replacement of released weights, or nullptr. */
const Q8Matrix* Interleaved(const ggml_tensor* weights) {
	return hooks == nullptr || hooks->matrices_ == nullptr ? nullptr : hooks->matrices_->Find(weights);
}

/** Whether the decoder's own kernels may be used: they are nodes that only the CPU computes. */
bool UsesKernels() { return hooks != nullptr && hooks->step_ != nullptr && OnProcessor(hooks->state_); }

}  // namespace

DecodeHooks::DecodeHooks(whisper_context* context, whisper_state* state, const Q8Matrices* matrices, int threads,
	const Cancel& cancel, DecodeBatcher* batcher)
	: context_(context), state_(state), matrices_(matrices), threads_(threads), cancel_(cancel), batcher_(batcher) {
	hooks = this;
}
DecodeHooks::~DecodeHooks() { hooks = nullptr; }

DecodeHooks* DecodeHooks::Current() { return hooks; }

PlainWeights::PlainWeights() { plain_weights = true; }
PlainWeights::~PlainWeights() { plain_weights = false; }

/** whisper.cpp looks up ggml's repacked buffer types with it. */
void* FindProcedure(ggml_backend_reg_t library, const char* name) {
	if (plain_weights && std::string_view(name) == "ggml_backend_dev_get_extra_bufts") return nullptr;
	return ggml_backend_reg_get_proc_address(library, name);
}

ggml_tensor* LookUp(ggml_context* context, ggml_tensor* table, ggml_tensor* numbers) {
	const Q8Matrix* matrix = Interleaved(table);
	return matrix == nullptr ? ggml_get_rows(context, table, numbers) : LookUpRows(context, *matrix, numbers);
}

ggml_tensor* Multiply(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows) {
	const Q8Matrix* matrix = Interleaved(weights);
	if (matrix != nullptr) return MultiplyRows(context, *matrix, rows);
	// One kernel for any number of rows and threads, so that results depend on neither.
	if (UsesKernels() && CanMultiply(weights, rows)) return MultiplyHalves(context, weights, rows);
	return ggml_mul_mat(context, weights, rows);
}

ggml_tensor* Gelu(ggml_context* context, ggml_tensor* numbers) {
	return UsesKernels() && CanGelu(numbers) ? GeluNode(context, numbers) : ggml_gelu(context, numbers);
}

ggml_tensor* AttendByKernel(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale) {
	return UsesKernels() ? AttendNode(context, queries, keys, values, mask, scale) : nullptr;
}

}  // namespace earshot::upstream
