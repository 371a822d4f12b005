// Work that goes on in steps, of which those of several members are done at once.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/failure.h"

namespace earshot::sherpa {

/** One thread at a time calls it. */
class Member {
public:
	virtual ~Member() = default;
	virtual bool Cancelled() const = 0;
	/** Gets its next step ready, and nothing if one is. False: it has none, and is done. */
	virtual Expected<bool> Prepare() = 0;
	/** Called once, last: how it ended. */
	virtual void Finish(Expected<Done> ended) = 0;
};

/**
 * Takes steps for all members that have one ready when a thread is free: there is no timer, and a member that is alone does
 * not wait. Members take turns, a step each. Any thread.
 */
class Steps {
public:
	using Take = std::function<Expected<Done>(const std::vector<Member*>&)>;

	/** `most` members take a step at once, with `take`, on at most `threads` threads. */
	Steps(size_t most, size_t threads, Take take) : threads_(threads), take_(std::move(take)), most_(most) {}

	/** True: a thread more is to call Work. The first is for any member, others where enough wait for a whole batch. */
	[[nodiscard]] bool Add(std::unique_ptr<Member> member);

	/** Takes steps until no member is left to wait for one. */
	void Work();

private:
	using Members = std::vector<std::unique_ptr<Member>>;

	/** Members to take a step together, in the order in which they came; none: this thread is no longer needed. */
	Members Gather();
	void Step(Members members);
	/** Finishes what is done or cancelled. */
	static bool HasStep(Member& member);

	const size_t threads_;
	const Take take_;

	std::mutex mutex_;
	// All guarded by mutex_.
	size_t most_;
	size_t working_ = 0;
	std::deque<std::unique_ptr<Member>> waiting_;
};

}  // namespace earshot::sherpa
