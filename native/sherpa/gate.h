// Decides which clips may be decoded in parallel on a recognizer whose configuration can change.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "sherpa/engine.h"

namespace earshot::sherpa {

/** Admits decodes in order of arrival: in parallel if they need the same configuration. Any thread. */
class Gate {
public:
	/** Waits until admitted. Calls `apply`, while nothing else runs, if the last decode had another configuration. `alone`:
	 * do not run in parallel with others. */
	template <class Apply>
	void Enter(const SherpaConfig& wanted, bool alone, Apply apply) {
		std::unique_lock lock(mutex_);
		const uint64_t ticket = next_++;
		turn_.wait(lock, [&] { return serving_ == ticket && (running_ == 0 || (!alone && applied_ == wanted)); });
		serving_++;
		turn_.notify_all();
		if (applied_ != wanted) {
			// If apply throws, the state is unknown, so the next decode must apply its own.
			applied_ = {{"", 0.0}};
			apply();
			applied_ = wanted;
		}
		running_++;
	}
	void Leave() {
		const std::lock_guard lock(mutex_);
		running_--;
		turn_.notify_all();
	}

private:
	std::mutex mutex_;
	std::condition_variable turn_;
	// All guarded by mutex_.
	uint64_t next_ = 0, serving_ = 0;
	int running_ = 0;
	SherpaConfig applied_;
};

}  // namespace earshot::sherpa
