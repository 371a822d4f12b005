// Continuous batching: clips that multiply with the same weights do so together, reading the weights once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include <ggml-backend.h>

#include "core/failure.h"

namespace earshot {

/**
 * Runs each clip on its own thread, but only one thread at a time, so that together they use one core. Clips join and
 * leave at any time. When a clip submits a graph, it waits until all members have submitted one; graphs with the same
 * weights are then computed together, multiplying each matrix with the vectors of all of them. Decoding a token is bound by
 * memory bandwidth, so four tokens take little longer than one.
 */
class DecodeBatcher {
public:
	/**
	 * Adds `count` members and calls `work` with the index of each; it must not throw. A member for which `cancelled` is true
	 * stops waiting for its turn: its graphs are aborted, and `work` must return soon. Returns when all of these members have
	 * finished; a failure if there were no threads for some, which then have not run. Any thread.
	 */
	Expected<Done> Run(
		size_t count, const std::function<bool(size_t)>& cancelled, const std::function<void(size_t)>& work);

	/**
	 * Computes `graph`, whose tensors are allocated, on the member's own CPU `backend`. Called on a member's thread, within
	 * Run. The abort callback of `backend` ends only this member's graph.
	 */
	ggml_status Compute(ggml_backend_t backend, ggml_cgraph* graph);

private:
	enum class Step { kReady, kWaiting, kLeft };
	struct Member {
		std::function<bool()> cancelled;
		Step step = Step::kReady;
		ggml_backend_t backend = nullptr;
		ggml_cgraph* graph = nullptr;
		ggml_status status = GGML_STATUS_SUCCESS;
		std::condition_variable turn;
	};

	/** The next member at `step`, in circular order after `member`, which comes last; nullptr if there is none. */
	Member* After(const Member& member, Step step) const;
	/** Until it is the member's turn, or it is cancelled and has left. */
	void Wait(std::unique_lock<std::mutex>& lock, Member& member);
	void Pass(Member* next);
	/** With the lock held. Does nothing if it has left already. */
	void Leave(Member& member);
	/** Computes the graphs of all waiting members. */
	void ComputeRound();

	static thread_local Member* self;

	std::mutex mutex_;
	std::vector<Member*> members_;  // those that have not left; guarded by mutex_, as are they and turn_
	/** The running member, while the others wait; null if there are none. */
	Member* turn_ = nullptr;
};

}  // namespace earshot
