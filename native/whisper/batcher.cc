#include "whisper/batcher.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

#include <ggml-backend.h>
#include <ggml-impl.h>
#include <ggml.h>

#include "kernels/decoder/products.h"

namespace earshot {

namespace {

/** How often a waiting member polls for cancellation, whose thread must not wait for a lock to notify it. */
constexpr std::chrono::milliseconds kPollInterval{20};

/** A member's graph in one round. */
struct Part {
	ggml_backend_t backend;
	ggml_cgraph* graph;
	ggml_status* status;
	/** Nodes that multiply with weights. */
	std::vector<int> products;
	/** Nodes computed so far. */
	int done = 0;

	ggml_tensor* Product(size_t at) const { return ggml_graph_node(graph, products[at]); }
};

void Compute(Part& part, int to) {
	if (part.done < to && *part.status == GGML_STATUS_SUCCESS) {
		ggml_cgraph view = ggml_graph_view(part.graph, part.done, to);
		*part.status = ggml_backend_graph_compute(part.backend, &view);
	}
	part.done = to;
}

/** For parts whose products have the same weights in the same order. */
void ComputeAlike(const std::vector<Part*>& parts) {
	Part& first = *parts.front();
	// Nothing to share: the same kernels are called by ggml.
	if (parts.size() == 1) first.products.clear();
	for (size_t at = 0; at < first.products.size(); at++) {
		std::vector<ggml_tensor*> products;
		for (Part* part : parts) {
			Compute(*part, part->products[at]);
			if (*part->status == GGML_STATUS_SUCCESS) products.push_back(part->Product(at));
			part->done = part->products[at] + 1;
		}
		if (!products.empty()) MultiplyTogether(products);
	}
	for (Part* part : parts) Compute(*part, ggml_graph_n_nodes(part->graph));
}

bool Alike(const Part& one, const Part& other) {
	return std::equal(one.products.begin(), one.products.end(), other.products.begin(), other.products.end(),
		[&](int node, int its) {
			return SharedWeightsOf(ggml_graph_node(one.graph, node)) == SharedWeightsOf(ggml_graph_node(other.graph, its));
		});
}

void ComputeTogether(std::vector<Part>& parts) {
	std::vector<Part*> left;
	for (Part& part : parts) {
		for (int node = 0; node < ggml_graph_n_nodes(part.graph); node++) {
			if (SharedWeightsOf(ggml_graph_node(part.graph, node)) != nullptr) part.products.push_back(node);
		}
		left.push_back(&part);
	}
	while (!left.empty()) {
		const auto others = std::stable_partition(
			left.begin(), left.end(), [first = left.front()](const Part* part) { return Alike(*first, *part); });
		ComputeAlike({left.begin(), others});
		left.erase(left.begin(), others);
	}
}

}  // namespace

thread_local DecodeBatcher::Member* DecodeBatcher::self = nullptr;

Expected<Done> DecodeBatcher::Run(
	size_t count, const std::function<bool(size_t)>& cancelled, const std::function<void(size_t)>& work) {
	std::vector<Member> own(count);
	for (size_t i = 0; i < count; i++) own[i].cancelled = [&cancelled, i] { return cancelled(i); };
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
				const std::lock_guard lock(mutex_);
				Leave(member);
			});
		} catch (const std::exception&) {
			all = false;
			const std::lock_guard lock(mutex_);
			Leave(own[i]);
		}
	}
	for (std::thread& thread : threads) thread.join();
	return all ? Expected<Done>(Done{}) : Failure{"out_of_memory", "the system has no more threads"};
}

ggml_status DecodeBatcher::Compute(ggml_backend_t backend, ggml_cgraph* graph) {
	std::unique_lock lock(mutex_);
	Member& member = *self;
	if (member.step == Step::kLeft) return GGML_STATUS_ABORTED;
	member.backend = backend;
	member.graph = graph;
	member.status = GGML_STATUS_SUCCESS;
	member.step = Step::kWaiting;
	if (Member* next = After(member, Step::kReady)) {
		Pass(next);
		Wait(lock, member);
		if (member.step == Step::kLeft) return GGML_STATUS_ABORTED;
	}
	// It is this member's turn, either because its graph is computed or because no member is left that could submit one.
	if (member.step == Step::kWaiting) ComputeRound();
	return member.status;
}

DecodeBatcher::Member* DecodeBatcher::After(const Member& member, Step step) const {
	const auto place = std::find(members_.begin(), members_.end(), &member);
	const auto is = [step](const Member* each) { return each->step == step; };
	auto found = std::find_if(place + 1, members_.end(), is);
	if (found == members_.end()) {
		found = std::find_if(members_.begin(), place + 1, is);
		if (found == place + 1) return nullptr;
	}
	return *found;
}

void DecodeBatcher::Wait(std::unique_lock<std::mutex>& lock, Member& member) {
	const auto is_turn = [&] { return turn_ == &member; };
	// system_clock, since waiting on the steady clock needs glibc 2.30.
	while (!member.turn.wait_until(lock, std::chrono::system_clock::now() + kPollInterval, is_turn)) {
		if (member.cancelled()) return Leave(member);
	}
}

void DecodeBatcher::Pass(Member* next) {
	turn_ = next;
	if (next != nullptr) next->turn.notify_one();
}

void DecodeBatcher::Leave(Member& member) {
	if (member.step == Step::kLeft) return;
	const bool had_turn = turn_ == &member;
	// Find its successor before it is removed.
	Member* ready = After(member, Step::kReady);
	if (ready == &member) ready = nullptr;
	Member* waiting = After(member, Step::kWaiting);
	std::erase(members_, &member);
	member.step = Step::kLeft;
	if (had_turn) Pass(ready != nullptr ? ready : waiting);
}

void DecodeBatcher::ComputeRound() {
	std::vector<Part> parts;
	for (Member* member : members_) {
		if (member->step == Step::kWaiting) parts.push_back({member->backend, member->graph, &member->status, {}});
	}
	ComputeTogether(parts);
	for (Member* member : members_) {
		if (member->step == Step::kWaiting) member->step = Step::kReady;
	}
}

}  // namespace earshot
