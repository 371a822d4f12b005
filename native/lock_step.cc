#include "lock_step.h"

#include <algorithm>
#include <array>
#include <exception>
#include <thread>

#include <ggml-impl.h>
#include <ggml.h>

#include "attention.h"
#include "matrix.h"

namespace earshot {

namespace {

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

/** The first of them CanAttend. */
void AttendEach(const std::vector<Part>& parts, int node) {
	for (const Part& part : parts) {
		ggml_tensor* each = ggml_graph_node(part.graph, node);
		if (!CanAttend(each)) Compute(part, node, node + 1);
		else if (*part.status == GGML_STATUS_SUCCESS) Attend(each);
	}
}

void ComputeTogether(const std::vector<Part>& parts) {
	const int nodes = ggml_graph_n_nodes(parts.front().graph);
	const bool alike = std::all_of(parts.begin(), parts.end(),
		[&](const Part& part) { return ggml_graph_n_nodes(part.graph) == nodes; });
	int from = 0;
	std::vector<float> rounded;
	for (int node = 0; alike && node < nodes; node++) {
		const bool shared = parts.size() > 1 && SharesMatrix(parts, node);
		if (!shared && !CanAttend(ggml_graph_node(parts.front().graph, node))) continue;
		for (const Part& part : parts) Compute(part, from, node);
		if (shared) MultiplyShared(parts, node, rounded);
		else AttendEach(parts, node);
		from = node + 1;
	}
	for (const Part& part : parts) Compute(part, from, ggml_graph_n_nodes(part.graph));
}

}  // namespace

thread_local LockStep::Member* LockStep::self = nullptr;

Expected<Done> LockStep::Run(size_t count, const std::function<void(size_t)>& work) {
	std::vector<Member> own(count);
	{
		const std::lock_guard lock(mutex_);
		for (Member& member : own) members_.push_back(&member);
		if (turn_ == nullptr) turn_ = &own.front();
	}
	std::vector<std::thread> threads;
	threads.reserve(count);
	bool all = true;
	for (size_t i = 0; i < count; i++) {
		try {
			threads.emplace_back([this, &work, &member = own[i], i] {
				self = &member;
				{
					std::unique_lock lock(mutex_);
					Wait(lock, member);
				}
				work(i);
				Leave(member);
			});
		} catch (const std::exception&) {
			all = false;
			Leave(own[i]);
		}
	}
	for (std::thread& thread : threads) thread.join();
	return all ? Expected<Done>(Done{}) : Failure{"out_of_memory", "the system has no thread left"};
}

ggml_status LockStep::Compute(ggml_backend_t backend, ggml_cgraph* graph) {
	std::unique_lock lock(mutex_);
	Member& member = *self;
	member.backend = backend;
	member.graph = graph;
	member.status = GGML_STATUS_SUCCESS;
	member.step = Step::kAsks;
	if (Member* next = After(member, Step::kReady)) {
		Pass(next);
		Wait(lock, member);
	}
	// It is this member's turn, either because it has its answer or because nobody is left who could ask.
	if (member.step == Step::kAsks) Answer();
	return member.status;
}

LockStep::Member* LockStep::After(const Member& member, Step step) const {
	const auto place = std::find(members_.begin(), members_.end(), &member);
	const auto is = [step](const Member* each) { return each->step == step; };
	auto found = std::find_if(place + 1, members_.end(), is);
	if (found == members_.end()) {
		found = std::find_if(members_.begin(), place + 1, is);
		if (found == place + 1) return nullptr;
	}
	return *found;
}

void LockStep::Wait(std::unique_lock<std::mutex>& lock, Member& member) {
	member.turn.wait(lock, [&] { return turn_ == &member; });
}

void LockStep::Pass(Member* next) {
	turn_ = next;
	if (next != nullptr) next->turn.notify_one();
}

void LockStep::Leave(Member& member) {
	const std::lock_guard lock(mutex_);
	const bool turned = turn_ == &member;
	// After whom the next one stands is only known while it is there.
	Member* ready = After(member, Step::kReady);
	if (ready == &member) ready = nullptr;
	Member* asks = After(member, Step::kAsks);
	std::erase(members_, &member);
	if (turned) Pass(ready != nullptr ? ready : asks);
}

void LockStep::Answer() {
	std::vector<Part> parts;
	for (Member* member : members_) {
		if (member->step == Step::kAsks) parts.push_back({member->backend, member->graph, &member->status});
	}
	ComputeTogether(parts);
	for (Member* member : members_) {
		if (member->step == Step::kAsks) member->step = Step::kReady;
	}
}

}  // namespace earshot
