// How ggml's threads wait for each other (native/platform/relax.h).
#ifndef _WIN32
#include <ctime>

#include <chrono>
#include <memory>
#include <thread>

#include <ggml-cpu.h>
#include <ggml.h>

#include "check.h"

namespace earshot::tests {

namespace {

constexpr std::chrono::milliseconds kLate{40};

double ProcessorMs() {
	timespec now{};
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

void SecondIsLate(ggml_tensor*, const ggml_tensor*, int thread, int, void*) {
	if (thread == 1) std::this_thread::sleep_for(kLate);
}

}  // namespace

TEST("a thread of ggml that waits long for another leaves its core to others") {
	const std::unique_ptr<ggml_context, void (*)(ggml_context*)> context(ggml_init({1 << 20, nullptr, false}), ggml_free);
	ggml_tensor* input = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 64);
	ggml_cgraph* graph = ggml_new_graph(context.get());
	ggml_build_forward_expand(graph, ggml_map_custom1(context.get(), input, SecondIsLate, 2, nullptr));
	const double before = ProcessorMs();
	EXPECT(ggml_graph_compute_with_ctx(context.get(), graph, 2) == GGML_STATUS_SUCCESS);
	const double spent = ProcessorMs() - before;
	EXPECT_THAT(spent < kLate.count() / 2, "spent " + std::to_string(spent) + " ms of 40");
}

}  // namespace earshot::tests
#endif
