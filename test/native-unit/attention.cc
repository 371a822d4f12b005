// Compares attention with plain loops, and with itself in other company.
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <ggml-cpu.h>
#include <ggml.h>

#include "check.h"
#include "kernels/decoder/attention.h"
#include "kernels/width.h"

namespace earshot::tests {

namespace {

constexpr size_t kWidth = 64;

struct Case {
	size_t heads, positions, queries;
	/** Every third row is hidden, another one for each query. */
	bool masked;
	int threads = 1;

	bool Hides(size_t query, size_t row) const { return masked && (row + query) % 3 == 1; }
};

/** Keys, values and queries of a node, the same for the same numbers of heads and positions. */
class Node {
public:
	explicit Node(const Case& made)
		: case_(made), state_(made.heads * kWidth), context_(ggml_init({size_t{64} << 20, nullptr, false}), ggml_free) {
		Noise noise(static_cast<uint32_t>(made.heads * 1000 + made.positions));
		keys_ = Cache(noise);
		values_ = Cache(noise);
		queries_ = noise.Some(state_ * made.queries, 3);
	}

	std::vector<float> Compute(float scale) {
		ggml_context* in = context_.get();
		ggml_tensor* rows = ggml_new_tensor_2d(in, GGML_TYPE_F32, Count(state_), Count(case_.queries));
		std::memcpy(rows->data, queries_.data(), queries_.size() * sizeof(float));
		ggml_tensor* queries = ggml_permute(
			in, ggml_reshape_3d(in, rows, kWidth, Count(case_.heads), Count(case_.queries)), 0, 2, 1, 3);
		ggml_tensor* mask = nullptr;
		if (case_.masked) {
			mask = ggml_new_tensor_2d(in, GGML_TYPE_F16, Count(case_.positions), Count(case_.queries));
			for (size_t i = 0; i < case_.positions * case_.queries; i++) {
				const bool hides = case_.Hides(i / case_.positions, i % case_.positions);
				static_cast<ggml_fp16_t*>(mask->data)[i] = ggml_fp32_to_fp16(hides ? -INFINITY : 0);
			}
		}
		ggml_tensor* node = AttendNode(in, queries, View(keys_), View(values_), mask, scale);
		EXPECT(node != nullptr);
		ggml_cgraph* graph = ggml_new_graph(in);
		ggml_build_forward_expand(graph, node);
		EXPECT(ggml_graph_compute_with_ctx(in, graph, case_.threads) == GGML_STATUS_SUCCESS);
		const auto* made = static_cast<const float*>(node->data);
		return {made, made + state_ * case_.queries};
	}

	double Key(size_t head, size_t row, size_t i) const { return At(keys_, head, row, i); }
	double Value(size_t head, size_t row, size_t i) const { return At(values_, head, row, i); }
	double Query(size_t head, size_t query, size_t i) const { return queries_[query * state_ + head * kWidth + i]; }

private:
	static int64_t Count(size_t number) { return static_cast<int64_t>(number); }
	ggml_tensor* Cache(Noise& noise) {
		ggml_tensor* rows = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F16, Count(state_), Count(case_.positions));
		auto* numbers = static_cast<ggml_fp16_t*>(rows->data);
		for (size_t i = 0; i < state_ * case_.positions; i++) numbers[i] = ggml_fp32_to_fp16(3 * noise());
		return rows;
	}
	ggml_tensor* View(ggml_tensor* rows) const {
		return ggml_view_3d(context_.get(), rows, kWidth, Count(case_.positions), Count(case_.heads), rows->nb[1],
			kWidth * sizeof(ggml_fp16_t), 0);
	}
	double At(const ggml_tensor* rows, size_t head, size_t row, size_t i) const {
		return ggml_fp16_to_fp32(static_cast<const ggml_fp16_t*>(rows->data)[row * state_ + head * kWidth + i]);
	}

	const Case case_;
	const size_t state_;
	const std::unique_ptr<ggml_context, void (*)(ggml_context*)> context_;
	ggml_tensor *keys_, *values_;
	std::vector<float> queries_;
};

void TestAttention(const Case& made) {
	Node node(made);
	const std::vector<float> sums = node.Compute(1);
	for (size_t query = 0; query < made.queries; query++) {
		for (size_t head = 0; head < made.heads; head++) {
			std::vector<double> weights(made.positions);
			double sum = 0, greatest = -INFINITY;
			for (size_t row = 0; row < made.positions; row++) {
				for (size_t i = 0; i < kWidth; i++) weights[row] += node.Query(head, query, i) * node.Key(head, row, i);
				if (!made.Hides(query, row)) greatest = std::max(greatest, weights[row]);
			}
			for (size_t row = 0; row < made.positions; row++) {
				weights[row] = made.Hides(query, row) ? 0 : std::exp(weights[row] - greatest);
				sum += weights[row];
			}
			for (size_t i = 0; i < kWidth; i++) {
				double wanted = 0;
				for (size_t row = 0; row < made.positions; row++) wanted += weights[row] / sum * node.Value(head, row, i);
				const double is = sums[(query * made.heads + head) * kWidth + i];
				// An error of 1e-5 in a score changes its exponential by as much.
				EXPECT_THAT(std::abs(is - wanted) <= 2e-4, std::to_string(wanted) + ", got " + std::to_string(is));
			}
		}
	}
}

}  // namespace

TEST("attention matches plain loops") {
	if (WidestKernels() < Kernels::kAvx512) return;
	for (const size_t heads : {1, 6}) {
		for (const size_t positions : {2, 15, 16, 33, 500}) {
			for (const size_t queries : {1, 3, 7}) {
				for (const bool masked : {false, true}) TestAttention({heads, positions, queries, masked});
			}
		}
	}
}

TEST("attention of a query is the same to the last bit beside others, and on any number of threads") {
	if (WidestKernels() < Kernels::kAvx512) return;
	for (const bool masked : {false, true}) {
		const std::vector<float> alone = Node({6, 100, 1, masked}).Compute(1);
		for (const size_t queries : {2, 5, 6, 11}) {
			for (const int threads : {1, 2, 4}) {
				std::vector<float> beside = Node({6, 100, queries, masked, threads}).Compute(1);
				beside.resize(alone.size());
				EXPECT(beside == alone);
			}
		}
	}
}

}  // namespace earshot::tests
