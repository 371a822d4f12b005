// Pool of whisper.cpp's states, each used by one clip at a time.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <ggml-cpu.h>
#include <whisper.h>

#include "core/failure.h"
#include "whisper/model/model.h"

namespace earshot {

struct StateFree {
	void operator()(whisper_state* state) const { whisper_free_state(state); }
};
struct ThreadPoolFree {
	void operator()(ggml_threadpool* pool) const { ggml_threadpool_free(pool); }
};

/** A state and its threads. Order matters: the state is destroyed before the pools that its backend may refer to. */
struct StateSlot {
	/** With the maximum number of threads, and with one. */
	std::unique_ptr<ggml_threadpool, ThreadPoolFree> pool, pool_of_one;
	/** Created on first use. */
	std::unique_ptr<whisper_state, StateFree> state;
};

/** Any thread. The model must outlive it. */
class States {
public:
	explicit States(const WhisperModel& model) : model_(model) {}

	/** Creates `count` states, before any is used. */
	Expected<Done> Make(int count);
	/** Allows `count` more states, created on demand. Called before any is used. */
	void AllowMore(int count) { to_make_ = count; }
	/** Whether they compute on the CPU only. */
	bool OnProcessor() const;

	/** Calls `work`, which returns an Expected<T>, with a free state; fails if there is none. */
	template <class T, class Work>
	Expected<T> With(Work work) {
		auto slot = Take();
		if (!slot) return slot.failure();
		Expected<T> result = Guarded("engine_failed", "whisper.cpp", [&]() -> Expected<T> { return work(*slot); });
		Return(std::move(*slot));
		return result;
	}
	/** Within With: makes the slot ready to run on `threads` threads; creates its state if there is none. */
	Expected<Done> Prepare(StateSlot& slot, int threads) const;

private:
	Expected<StateSlot> Take();
	void Return(StateSlot slot);
	Expected<Done> MakeState(StateSlot& slot) const;

	const WhisperModel& model_;
	std::mutex mutex_;
	std::vector<StateSlot> free_;  // guarded by mutex_
	int to_make_ = 0;              // guarded by mutex_
};

}  // namespace earshot
