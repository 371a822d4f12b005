// Continuous batching: what several clips compute with the same weights is computed with one reading of them.
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
 * Runs a function for each of several clips, on a thread each, of which one runs at a time: together they take one core.
 * Clips come and go as they like. Where they ask for graphs that read the same weights (one token of a decoder each, or
 * what they begin with), they wait until all that are there have asked, and each matrix is then multiplied with all
 * their vectors at once. A token is read from memory for the most part, so that four cost little more than one.
 */
class DecodeBatcher {
public:
	/**
	 * For `count` members more: `work` gets the number of each among them and must not throw. One that is `gone` does not
	 * wait for its turn any longer: its graphs are aborted, and it is to return at once. Returns when these have returned;
	 * a failure when there were no threads for all, and then not every one has run. Any thread.
	 */
	Expected<Done> Run(
		size_t count, const std::function<bool(size_t)>& gone, const std::function<void(size_t)>& work);

	/**
	 * On the thread of a member, within Run: computes `graph`, whose tensors all have memory, on `backend`, which is a
	 * CPU's and the member's own. Its own abort callback ends a member's graph and leaves the others alone.
	 */
	ggml_status Compute(ggml_backend_t backend, ggml_cgraph* graph);

private:
	enum class Step { kReady, kWaiting, kLeft };
	struct Member {
		std::function<bool()> gone;
		Step step = Step::kReady;
		ggml_backend_t backend = nullptr;
		ggml_cgraph* graph = nullptr;
		ggml_status status = GGML_STATUS_SUCCESS;
		std::condition_variable turn;
	};

	/** The next after `member` that is at `step`, itself the last; nullptr for none. */
	Member* After(const Member& member, Step step) const;
	/** Until it is the member's turn, or it is gone and has left. */
	void Wait(std::unique_lock<std::mutex>& lock, Member& member);
	void Pass(Member* next);
	/** With the lock held. For the second time it does nothing. */
	void Leave(Member& member);
	/** Computes the graphs of all members that wait. */
	void ComputeRound();

	static thread_local Member* self;

	std::mutex mutex_;
	std::vector<Member*> members_;  // that have not left; guarded by mutex_, as are they and turn_
	/** The member that runs; the others wait for their turn. Null without members. */
	Member* turn_ = nullptr;
};

}  // namespace earshot
