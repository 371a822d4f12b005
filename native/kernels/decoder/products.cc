#include "kernels/decoder/products.h"

#include <array>
#include <cstring>

#include <ggml-impl.h>
#include <ggml.h>

#include "kernels/f16_matrix.h"
#include "kernels/q8_matrix.h"

namespace earshot {

namespace {

/** Rows of several nodes and their places in the products. */
struct Columns {
	std::vector<const float*> vectors;
	std::vector<float*> products;

	void Add(ggml_tensor* node) {
		const ggml_tensor* rows = node->src[0];
		for (int64_t row = 0; row < rows->ne[1]; row++) {
			vectors.push_back(static_cast<const float*>(rows->data) + row * rows->ne[0]);
			products.push_back(static_cast<float*>(node->data) + row * node->ne[0]);
		}
	}
};

void MultiplyAll(const Q8Matrix& matrix, const Columns& all, size_t part, size_t parts) {
	matrix.Multiply(all.vectors.data(), all.products.data(), all.vectors.size(), part, parts);
}

void MultiplyAll(const ggml_tensor* matrix, const Columns& all, size_t part, size_t parts) {
	Multiply(static_cast<const uint16_t*>(matrix->data), static_cast<size_t>(matrix->ne[1]),
		static_cast<size_t>(matrix->ne[0]), all.vectors.data(), all.products.data(), all.vectors.size(), part, parts);
}

// Called on each of ggml's threads.

void MultiplyIntegers(ggml_tensor* node, int thread, int threads, void* matrix) {
	Columns all;
	all.Add(node);
	MultiplyAll(*static_cast<const Q8Matrix*>(matrix), all, static_cast<size_t>(thread), static_cast<size_t>(threads));
}

void MultiplyFloats(ggml_tensor* node, int thread, int threads, void*) {
	Columns all;
	all.Add(node);
	MultiplyAll(node->src[1], all, static_cast<size_t>(thread), static_cast<size_t>(threads));
}

ggml_custom_op_params ParametersOf(const ggml_tensor* node) {
	ggml_custom_op_params parameters;
	std::memcpy(&parameters, node->op_params, sizeof parameters);
	return parameters;
}

ggml_tensor* Contiguous(ggml_context* context, ggml_tensor* rows) {
	GGML_ASSERT(rows->type == GGML_TYPE_F32 && ggml_n_dims(rows) <= 2);
	return ggml_is_contiguous(rows) ? rows : ggml_cont(context, rows);
}

}  // namespace

ggml_tensor* MultiplyRows(ggml_context* context, const Q8Matrix& matrix, ggml_tensor* rows) {
	std::array sources{Contiguous(context, rows)};
	return ggml_custom_4d(context, GGML_TYPE_F32, static_cast<int64_t>(matrix.rows()), rows->ne[1], 1, 1, sources.data(),
		sources.size(), MultiplyIntegers, GGML_N_TASKS_MAX, const_cast<Q8Matrix*>(&matrix));
}

ggml_tensor* MultiplyHalves(ggml_context* context, ggml_tensor* matrix, ggml_tensor* rows) {
	std::array sources{Contiguous(context, rows), matrix};
	return ggml_custom_4d(context, GGML_TYPE_F32, matrix->ne[1], rows->ne[1], 1, 1, sources.data(), sources.size(),
		MultiplyFloats, GGML_N_TASKS_MAX, nullptr);
}

const void* SharedWeightsOf(const ggml_tensor* node) {
	if (node->op != GGML_OP_CUSTOM) return nullptr;
	const ggml_custom_op_params parameters = ParametersOf(node);
	if (parameters.fun == MultiplyIntegers) return parameters.userdata;
	return parameters.fun == MultiplyFloats ? node->src[1] : nullptr;
}

void MultiplyTogether(const std::vector<ggml_tensor*>& nodes) {
	Columns all;
	for (ggml_tensor* node : nodes) all.Add(node);
	const ggml_custom_op_params parameters = ParametersOf(nodes.front());
	if (parameters.fun == MultiplyIntegers) MultiplyAll(*static_cast<const Q8Matrix*>(parameters.userdata), all, 0, 1);
	else MultiplyAll(nodes.front()->src[1], all, 0, 1);
}

}  // namespace earshot
