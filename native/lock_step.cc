#include "lock_step.h"

#include <algorithm>
#include <array>
#include <exception>
#include <thread>

#include <ggml-impl.h>
#include <ggml.h>

#include "matrix.h"

namespace earshot {

namespace {

/** Which of the members this thread is. */
thread_local size_t self = 0;

/** A member's part in one round. */
struct Part {
	ggml_backend_t backend;
	ggml_cgraph* graph;
	ggml_status* status;
};

void Compute(const Part& part, int from, int to) {
	if (from == to || *part.status != GGML_STATUS_SUCCESS) return;
	ggml_cgraph view = ggml_graph_view(part.graph, from, to);
	*part.status = ggml_backend_graph_compute(part.backend, &view);
}

bool IsVector(const ggml_tensor* tensor) {
	return tensor->type == GGML_TYPE_F32 && ggml_nrows(tensor) == 1 && ggml_is_contiguous(tensor);
}

/** Whether they all multiply the same matrix with one vector each, in the node of that number. */
bool SharesMatrix(const std::vector<Part>& parts, int node) {
	const ggml_tensor* matrix = ggml_graph_node(parts.front().graph, node)->src[0];
	const bool shared = std::all_of(parts.begin(), parts.end(), [&](const Part& part) {
		const ggml_tensor* each = ggml_graph_node(part.graph, node);
		return each->op == GGML_OP_MUL_MAT && each->src[0] == matrix && IsVector(each->src[1]) && IsVector(each);
	});
	return shared && matrix->type == GGML_TYPE_F16 && ggml_n_dims(matrix) <= 2 && ggml_is_contiguous(matrix) &&
		CanMultiply(static_cast<size_t>(matrix->ne[0]));
}

/** `node` is SharesMatrix's. */
void MultiplyShared(const std::vector<Part>& parts, int node, std::vector<float>& rounded) {
	const ggml_tensor* matrix = ggml_graph_node(parts.front().graph, node)->src[0];
	const auto columns = static_cast<size_t>(matrix->ne[0]);
	rounded.resize(columns * kMostVectors);
	std::array<const float*, kMostVectors> vectors{};
	std::array<float*, kMostVectors> products{};
	size_t count = 0;
	const auto multiply = [&] {
		if (count == 0) return;
		Multiply(static_cast<const uint16_t*>(matrix->data), static_cast<size_t>(matrix->ne[1]), columns, vectors.data(),
			products.data(), count);
		count = 0;
	};
	for (const Part& part : parts) {
		if (*part.status != GGML_STATUS_SUCCESS) continue;
		ggml_tensor* product = ggml_graph_node(part.graph, node);
		float* vector = rounded.data() + columns * count;
		RoundToHalf(static_cast<const float*>(product->src[1]->data), columns, vector);
		vectors[count] = vector;
		products[count] = static_cast<float*>(product->data);
		if (++count == kMostVectors) multiply();
	}
	multiply();
}

void ComputeTogether(const std::vector<Part>& parts) {
	const int nodes = ggml_graph_n_nodes(parts.front().graph);
	const bool alike = std::all_of(parts.begin(), parts.end(),
		[&](const Part& part) { return ggml_graph_n_nodes(part.graph) == nodes; });
	int from = 0;
	std::vector<float> rounded;
	for (int node = 0; alike && parts.size() > 1 && node < nodes; node++) {
		if (!SharesMatrix(parts, node)) continue;
		for (const Part& part : parts) Compute(part, from, node);
		MultiplyShared(parts, node, rounded);
		from = node + 1;
	}
	for (const Part& part : parts) Compute(part, from, ggml_graph_n_nodes(part.graph));
}

}  // namespace

Expected<Done> LockStep::Run(const std::function<void(size_t)>& work) {
	std::vector<std::thread> threads;
	threads.reserve(members_.size());
	bool all = true;
	for (size_t member = 0; member < members_.size(); member++) {
		try {
			threads.emplace_back([this, &work, member] {
				self = member;
				{
					std::unique_lock lock(mutex_);
					Wait(lock, member);
				}
				work(member);
				Leave(member);
			});
		} catch (const std::exception&) {
			all = false;
			Leave(member);
		}
	}
	for (std::thread& thread : threads) thread.join();
	return all ? Expected<Done>(Done{}) : Failure{"out_of_memory", "the system has no thread left"};
}

ggml_status LockStep::Compute(ggml_backend_t backend, ggml_cgraph* graph) {
	std::unique_lock lock(mutex_);
	Member& member = members_[self];
	member.backend = backend;
	member.graph = graph;
	member.status = GGML_STATUS_SUCCESS;
	member.step = Step::kAsks;
	if (const size_t next = After(self, Step::kReady); next < members_.size()) {
		turn_ = next;
		members_[next].turn.notify_one();
		Wait(lock, self);
	}
	// It is this member's turn, either because it has its answer or because nobody is left who could ask.
	if (member.step == Step::kAsks) Answer();
	return member.status;
}

size_t LockStep::After(size_t member, Step step) const {
	for (size_t i = 1; i <= members_.size(); i++) {
		const size_t next = (member + i) % members_.size();
		if (members_[next].step == step) return next;
	}
	return members_.size();
}

void LockStep::Wait(std::unique_lock<std::mutex>& lock, size_t member) {
	members_[member].turn.wait(lock, [&] { return turn_ == member; });
}

void LockStep::Leave(size_t member) {
	const std::lock_guard lock(mutex_);
	members_[member].step = Step::kDone;
	if (turn_ != member) return;
	size_t next = After(member, Step::kReady);
	if (next == members_.size()) next = After(member, Step::kAsks);
	if (next == members_.size()) return;
	turn_ = next;
	members_[next].turn.notify_one();
}

void LockStep::Answer() {
	std::vector<Part> parts;
	for (Member& member : members_) {
		if (member.step == Step::kAsks) parts.push_back({member.backend, member.graph, &member.status});
	}
	ComputeTogether(parts);
	for (Member& member : members_) {
		if (member.step == Step::kAsks) member.step = Step::kReady;
	}
}

}  // namespace earshot
