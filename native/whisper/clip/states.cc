#include "whisper/clip/states.h"

#include "whisper/upstream/encoder.h"
#include "whisper/upstream/upstream.h"

namespace earshot {

Expected<Done> States::Make(int count) {
	for (int i = 0; i < count; i++) {
		StateSlot slot;
		if (Expected<Done> made = MakeState(slot); !made) return made;
		free_.push_back(std::move(slot));
	}
	return Done{};
}

bool States::OnProcessor() const { return upstream::OnProcessor(free_.front().state.get()); }

Expected<StateSlot> States::Take() {
	const std::lock_guard lock(mutex_);
	if (!free_.empty()) {
		StateSlot slot = std::move(free_.back());
		free_.pop_back();
		return slot;
	}
	if (to_make_ == 0) return Failure{"engine_failed", "every slot is taken"};
	to_make_--;
	return StateSlot{};
}

void States::Return(StateSlot slot) {
	if (slot.state) {
		upstream::SetAbort(slot.state.get(), nullptr, nullptr);
		// Lets the pool's threads sleep: they spin while a backend uses them.
		upstream::SetThreadPool(slot.state.get(), nullptr);
	}
	const std::lock_guard lock(mutex_);
	free_.push_back(std::move(slot));
}

Expected<Done> States::MakeState(StateSlot& slot) const {
	slot.state.reset(whisper_init_state(model_.context()));
	if (!slot.state) return Failure{"out_of_memory", "whisper.cpp could not create a state"};
	if (model_.integers) upstream::SetEncoder(slot.state.get(), model_.integers);
	else if (!model_.sessions.empty()) return upstream::SetEncoders(slot.state.get(), model_.sessions);
	return Done{};
}

Expected<Done> States::Prepare(StateSlot& slot, int threads) const {
	if (!slot.state) {
		if (Expected<Done> made = MakeState(slot); !made) return made;
	}
	// The large pool's idle threads would wake up for every graph, and without a pool each graph would create one.
	auto& pool = threads > 1 ? slot.pool : slot.pool_of_one;
	if (!pool) {
		ggml_threadpool_params params = ggml_threadpool_params_default(threads > 1 ? model_.max_threads : 1);
		pool.reset(ggml_threadpool_new(&params));
		if (!pool) return Failure{"out_of_memory", "could not create a thread pool"};
	}
	upstream::SetThreadPool(slot.state.get(), pool.get());
	return Done{};
}

}  // namespace earshot
