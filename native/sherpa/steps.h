// Runs work that consists of steps, and batches the steps of several members.
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

/** A piece of work. Called by one thread at a time. */
class Member {
public:
	virtual ~Member() = default;
	virtual bool Cancelled() const = 0;
	/** Prepares the next step, if none is prepared. False: there is none, and the member is finished. */
	virtual Expected<bool> Prepare() = 0;
	/** Called once, last, with the outcome. */
	virtual void Finish(Expected<Done> ended) = 0;
};

/**
 * Whenever a thread is free, it runs one batched step for the members that have a step ready. There is no timer, and a
 * single member does not wait. Members take turns, one step each. Any thread.
 */
class Steps {
public:
	using Take = std::function<Expected<Done>(const std::vector<Member*>&)>;

	/** `take` runs a step of up to `most` members at once, on at most `threads` threads. */
	Steps(size_t most, size_t threads, Take take) : threads_(threads), take_(std::move(take)), most_(most) {}

	/** True: one more thread must call Work. The first thread starts for any member, further ones only for full
	 * batches. */
	[[nodiscard]] bool Add(std::unique_ptr<Member> member);

	/** Runs steps until no member is waiting. */
	void Work();

private:
	using Members = std::vector<std::unique_ptr<Member>>;

	/** The members of the next step, in order of arrival; none: this thread is no longer needed. */
	Members Gather();
	void Step(Members members);
	/** Whether the member has a step; finishes it if it is done or cancelled. */
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
