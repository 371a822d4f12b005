// Lifetime of an engine that a JavaScript object refers to.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <napi.h>

#include "addon/clips_task.h"
#include "addon/convert.h"
#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"
#include "napi/async_task.h"
#include "napi/env.h"
#include "napi/errors.h"

namespace earshot {

using Cancels = std::vector<std::shared_ptr<Cancel>>;

/** Where the engine is freed: large ones on the thread pool, since it takes long; small ones at once. */
enum class FreeOn { kPool, kCallingThread };

/**
 * Counts running calls, cancels them, and frees the engine when it is closed and the last call has ended. JavaScript
 * thread only. Shared by the functions of one JavaScript object and by running tasks.
 */
template <class Engine>
class Handle : public std::enable_shared_from_this<Handle<Engine>> {
public:
	Handle(std::shared_ptr<Engine> engine, int slots, FreeOn free_on)
		: engine_(std::move(engine)), slots_(slots), free_on_(free_on) {}

	/** Runs `work(engine, cancel)` on the pool. `clip` identifies it for CancelClip. `keep`: arrays to keep alive. */
	template <class T>
	Napi::Promise Start(Napi::Env env, double clip, std::vector<Napi::Value> keep,
		std::function<Expected<T>(Engine&, const Cancel&)> work, std::function<Napi::Value(Napi::Env, T&)> convert) {
		Expected<Cancels> cancels = AcquireSlot(env, clip, 1);
		if (!cancels) return Rejected(env, cancels.failure());
		auto task = std::make_unique<Task<T>>(
			[engine = engine_, cancel = cancels->front(), work = std::move(work)] { return work(*engine, *cancel); },
			std::move(convert));
		for (const Napi::Value& value : keep) task->keep.push_back(Napi::Persistent(value));
		task->finished = Releaser(clip);
		return AsyncTask::Start(env, std::move(task));
	}

	/** The same for several clips in one slot, each with its own promise and Cancel. */
	std::vector<Napi::Promise> StartClips(Napi::Env env, double batch, const std::vector<Napi::Value>& arrays,
		std::function<Expected<Done>(Engine&, const std::vector<ClipRequest>&, const OnResult&)> work) {
		std::vector<Napi::Promise> refused;
		if (arrays.empty()) return refused;
		Expected<Cancels> cancels = AcquireSlot(env, batch, arrays.size());
		if (!cancels) {
			for (size_t i = 0; i < arrays.size(); i++) refused.push_back(Rejected(env, cancels.failure()));
			return refused;
		}
		std::vector<ClipRequest> requests;
		for (size_t i = 0; i < arrays.size(); i++) requests.push_back({ViewOf(arrays[i]), (*cancels)[i]});
		return ClipsTask::Start(env, arrays,
			[engine = engine_, requests = std::move(requests), work = std::move(work)](const OnResult& on_result) {
				return work(*engine, requests, on_result);
			},
			Releaser(batch));
	}

	/** Cancels the clip at `position` of a batch, or all of it. */
	void CancelClip(double clip, std::optional<size_t> position = std::nullopt) {
		const auto found = running_.find(clip);
		if (found == running_.end()) return;
		for (size_t i = 0; i < found->second.size(); i++) {
			if (position.value_or(i) == i) found->second[i]->Request();
		}
	}

	Napi::Promise Close(Napi::Env env) {
		const auto deferred = Napi::Promise::Deferred::New(env);
		closing_.push_back(deferred);
		if (!closed_) {
			closed_ = true;
			for (const auto& [clip, cancels] : running_) CancelClip(clip);
			if (running_.empty()) Free(env);
		} else if (freed_) {
			Closed(env);
		}
		return deferred.Promise();
	}

private:
	/** Takes a slot until the function of Releaser is called. */
	Expected<Cancels> AcquireSlot(Napi::Env env, double clip, size_t count) {
		if (closed_) return Failure{"closed", "it has been closed"};
		if (static_cast<int>(running_.size()) >= slots_) {
			return Failure{"engine_failed", "all " + std::to_string(slots_) + " slots are taken"};
		}
		if (running_.contains(clip)) return Failure{"engine_failed", "a clip with this number is running already"};
		Cancels cancels;
		for (size_t i = 0; i < count; i++) cancels.push_back(std::make_shared<Cancel>(EnvState::Of(env).exiting));
		running_.emplace(clip, cancels);
		return cancels;
	}

	std::function<void(Napi::Env)> Releaser(double clip) {
		return [self = this->shared_from_this(), clip](Napi::Env env) {
			self->running_.erase(clip);
			if (self->closed_ && self->running_.empty()) self->Free(env);
		};
	}

	void Free(Napi::Env env) {
		if (free_on_ == FreeOn::kCallingThread) {
			engine_.reset();
			freed_ = true;
			Closed(env);
			return;
		}
		auto task = std::make_unique<Task<Done>>(
			[engine = std::make_shared<std::shared_ptr<Engine>>(std::move(engine_))]() -> Expected<Done> {
				engine->reset();
				return Done{};
			},
			[](Napi::Env settled_env, Done&) { return settled_env.Undefined(); });
		task->finished = [self = this->shared_from_this()](Napi::Env freed_env) {
			self->freed_ = true;
			self->Closed(freed_env);
		};
		AsyncTask::Start(env, std::move(task));
	}

	void Closed(Napi::Env env) {
		for (const auto& deferred : std::exchange(closing_, {})) deferred.Resolve(env.Undefined());
	}

	std::shared_ptr<Engine> engine_;
	const int slots_;
	const FreeOn free_on_;
	std::unordered_map<double, Cancels> running_;
	std::vector<Napi::Promise::Deferred> closing_;
	bool closed_ = false;
	bool freed_ = false;
};

}  // namespace earshot
