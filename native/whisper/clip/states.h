// What clips run on: a state of whisper.cpp and its threads, lent to one clip at a time.
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

/** What one clip at a time runs on. Order matters: the state goes before the pools that its backend may point to. */
struct StateSlot {
	/** Of as many threads as a clip may have, and of the one that it runs on. */
	std::unique_ptr<ggml_threadpool, ThreadPoolFree> pool, pool_of_one;
	/** Made when it is first needed. */
	std::unique_ptr<whisper_state, StateFree> state;
};

/** Any thread. The model outlives it. */
class States {
public:
	explicit States(const WhisperModel& model) : model_(model) {}

	/** Makes `count`. Before any is used. */
	Expected<Done> Make(int count);
	/** As many more are made when they are needed. Before any is used. */
	void AllowMore(int count) { to_make_ = count; }
	/** Whether those that were made compute on the processor alone. */
	bool OnProcessor() const;

	/** `work` gets one that is free, and returns an Expected<T>. It is free again before this returns. */
	template <class T, class Work>
	Expected<T> With(Work work) {
		auto slot = Take();
		if (!slot) return slot.failure();
		Expected<T> result = Guarded("engine_failed", "whisper.cpp", [&]() -> Expected<T> { return work(*slot); });
		Return(std::move(*slot));
		return result;
	}
	/** Within With: makes its state, where there is none, ready to run on `threads`. */
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
