#include "kernels/gelu.h"

#include <ggml.h>

#include "kernels/vectors.h"
#include "kernels/width.h"

namespace earshot {

#ifdef EARSHOT_VECTORS

EARSHOT_AVX512 void Gelu(const float* from, size_t count, float* to) {
	for (size_t i = 0; i < count; i += kLanes) {
		const __mmask16 wanted = FirstOf(count - i);
		_mm512_mask_storeu_ps(to + i, wanted, Gelu(_mm512_maskz_loadu_ps(wanted, from + i)));
	}
}

#else

void Gelu(const float*, size_t, float*) {}

#endif

namespace {

/** Called on each of ggml's threads. */
void ComputeGelu(ggml_tensor* node, int thread, int threads, void*) {
	const auto row = static_cast<size_t>(node->ne[0]);
	for (int64_t i = thread; i < ggml_nrows(node); i += threads) {
		const size_t at = static_cast<size_t>(i) * row;
		Gelu(static_cast<const float*>(node->src[0]->data) + at, row, static_cast<float*>(node->data) + at);
	}
}

}  // namespace

bool CanGelu(const ggml_tensor* numbers) {
	return numbers->type == GGML_TYPE_F32 && ggml_is_contiguous(numbers) && WidestKernels() >= Kernels::kAvx512;
}

ggml_tensor* GeluNode(ggml_context* context, ggml_tensor* numbers) {
	return ggml_custom_4d(context, GGML_TYPE_F32, numbers->ne[0], numbers->ne[1], numbers->ne[2], numbers->ne[3], &numbers, 1,
		ComputeGelu, GGML_N_TASKS_MAX, nullptr);
}

}  // namespace earshot
