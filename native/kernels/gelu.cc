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

bool CanGelu(const ggml_tensor* node) {
	return node->op == GGML_OP_UNARY && ggml_get_unary_op(node) == GGML_UNARY_OP_GELU && node->type == GGML_TYPE_F32 &&
		node->src[0]->type == GGML_TYPE_F32 && ggml_is_contiguous(node) && ggml_is_contiguous(node->src[0]) &&
		WidestKernels() >= Kernels::kAvx512;
}

void ComputeGelu(ggml_tensor* node) {
	Gelu(static_cast<const float*>(node->src[0]->data), static_cast<size_t>(ggml_nelements(node)),
		static_cast<float*>(node->data));
}

#else

void Gelu(const float*, size_t, float*) {}
bool CanGelu(const ggml_tensor*) { return false; }
void ComputeGelu(ggml_tensor*) {}

#endif

}  // namespace earshot
