// Cancellation of work on other threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/failure.h"

namespace earshot {

/** A flag that can be raised once. Any thread. */
class Signal {
public:
	/** Calls a function when the signal is raised, on the raising thread; immediately if it has been raised already. After
	 * the destructor the function is neither called nor running. It must not block. */
	class Listener {
	public:
		Listener(Signal& signal, std::function<void()> call) : signal_(signal), call_(std::move(call)) {
			const std::lock_guard lock(signal_.mutex_);
			if (signal_.Raised()) call_();
			signal_.listeners_.push_back(this);
		}
		~Listener() {
			const std::lock_guard lock(signal_.mutex_);
			std::erase(signal_.listeners_, this);
		}
		Listener(const Listener&) = delete;
		Listener& operator=(const Listener&) = delete;

	private:
		friend class Signal;
		Signal& signal_;
		const std::function<void()> call_;
	};

	void Raise() {
		const std::lock_guard lock(mutex_);
		if (raised_.exchange(true)) return;
		for (const Listener* listener : listeners_) listener->call_();
	}
	bool Raised() const { return raised_.load(std::memory_order_relaxed); }

private:
	std::atomic<bool> raised_{false};
	std::mutex mutex_;
	std::vector<Listener*> listeners_;  // guarded by mutex_
};

/** Requested on the JavaScript thread, polled by the working thread. */
class Cancel {
public:
	/** `exiting` is raised at environment teardown. */
	explicit Cancel(std::shared_ptr<Signal> exiting) : exiting_(std::move(exiting)) {}
	void Request() { requested_.Raise(); }
	bool Requested() const { return requested_.Raised() || exiting_->Raised(); }

	/** For libraries that cannot poll; see Signal::Listener. */
	class Listener {
	public:
		Listener(const Cancel& cancel, const std::function<void()>& call)
			: requested_(cancel.requested_, call), exiting_(*cancel.exiting_, call) {}

	private:
		Signal::Listener requested_, exiting_;
	};

private:
	mutable Signal requested_;
	std::shared_ptr<Signal> exiting_;
};

inline Failure Cancelled() { return {"cancelled", "the clip was cancelled"}; }

}  // namespace earshot
