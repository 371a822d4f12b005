#include "whisper/devices.h"

#include <ggml-cpp.h>
#include <ggml.h>

#include "core/failure.h"

namespace earshot {

namespace {

Expected<Done> Add(ggml_backend_dev_t device) {
	const Failure failed = {"engine_failed", "the device does not calculate"};
	const ggml_backend_ptr backend(ggml_backend_dev_init(device, nullptr));
	const ggml_context_ptr context(ggml_init({2 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true}));
	if (!backend || !context) return failed;
	ggml_tensor* number = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 1);
	ggml_tensor* sum = ggml_add(context.get(), number, number);
	ggml_cgraph* graph = ggml_new_graph(context.get());
	ggml_build_forward_expand(graph, sum);
	const ggml_backend_buffer_ptr buffer(ggml_backend_alloc_ctx_tensors(context.get(), backend.get()));
	if (!buffer) return failed;
	float value = 3;
	ggml_backend_tensor_set(number, &value, 0, sizeof value);
	if (ggml_backend_graph_compute(backend.get(), graph) != GGML_STATUS_SUCCESS) return failed;
	ggml_backend_tensor_get(sum, &value, 0, sizeof value);
	if (value != 6) return failed;
	return Done{};
}

}  // namespace

bool CanCalculate(ggml_backend_dev_t device) {
	return static_cast<bool>(Guarded("engine_failed", "ggml", [&] { return Add(device); }));
}

}  // namespace earshot
