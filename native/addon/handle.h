// Handles of loaded engines in JavaScript.
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
#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"
#include "napi/async_task.h"
#include "napi/env.h"
#include "napi/errors.h"

namespace earshot {

using Cancels = std::vector<std::shared_ptr<Cancel>>;

/** Freeing gigabytes takes time, so it runs on the thread pool; small objects are freed on the calling thread. */
enum class FreeOn { kPool, kCallingThread };

/**
 * The handle of a loaded engine in JavaScript: counts running calls, cancels them, and frees the engine once none is
 * left. JavaScript thread only. Shared by the functions of one JavaScript object and its running tasks.
 */
template <class Engine>
class Handle : public std::enable_shared_from_this<Handle<Engine>> {
public:
	Handle(std::shared_ptr<Engine> engine, int slots, FreeOn free_on)
		: engine_(std::move(engine)), slots_(slots), free_on_(free_on) {}

	/** A call that does not run in its own task. */
	struct Running {
		std::shared_ptr<Engine> engine;
		std::shared_ptr<Cancel> cancel;
		/** Releases the slot; to be called once. */
		std::function<void(Napi::Env)> leave;
	};

	/** Takes a slot for such a call under the id `clip`. */
	Expected<Running> Begin(Napi::Env env, double clip) {
		Expected<Cancels> cancels = Enter(env, clip, 1);
		if (!cancels) return cancels.failure();
		return Running{engine_, cancels->front(), Releaser(clip)};
	}

	/** Runs `work(engine, cancel)`, which owns its data, on the pool under the id `clip`. */
	template <class T>
	Napi::Promise Start(Napi::Env env, double clip, std::function<Expected<T>(Engine&, const Cancel&)> work,
		std::function<Napi::Value(Napi::Env, T&)> convert) {
		Expected<Cancels> cancels = Enter(env, clip, 1);
		if (!cancels) return Rejected(env, cancels.failure());
		auto task = std::make_unique<Task<T>>(
			[engine = engine_, cancel = cancels->front(), work = std::move(work)] { return work(*engine, *cancel); },
			std::move(convert));
		task->finished = Releaser(clip);
		return ReleaseOnThrow(clip, [&] { return AsyncTask::Start(env, std::move(task)); });
	}

	/** Runs several clips in one slot, each with its own promise and Cancel. */
	std::vector<Napi::Promise> StartClips(Napi::Env env, double batch, std::vector<std::vector<float>> clips,
		std::function<Expected<Done>(Engine&, const std::vector<ClipRequest>&, const OnResult&)> work) {
		std::vector<Napi::Promise> refused;
		if (clips.empty()) return refused;
		Expected<Cancels> cancels = Enter(env, batch, clips.size());
		if (!cancels) {
			for (size_t i = 0; i < clips.size(); i++) refused.push_back(Rejected(env, cancels.failure()));
			return refused;
		}
		return ReleaseOnThrow(batch, [&] {
			const auto samples = std::make_shared<const std::vector<std::vector<float>>>(std::move(clips));
			std::vector<ClipRequest> requests;
			for (size_t i = 0; i < samples->size(); i++) {
				const std::vector<float>& of_clip = (*samples)[i];
				requests.push_back({{of_clip.data(), of_clip.size()}, (*cancels)[i]});
			}
			return ClipsTask::Start(env, samples->size(),
				[engine = engine_, samples, requests = std::move(requests), work = std::move(work)](
					const OnResult& on_result) { return work(*engine, requests, on_result); },
				Releaser(batch));
		});
	}

	/** Cancels the clip at `position` of a batch, or all its clips. */
	void CancelClip(double clip, std::optional<size_t> position = std::nullopt) {
		const auto found = running_.find(clip);
		if (found == running_.end()) return;
		for (size_t i = 0; i < found->second.size(); i++) {
			if (position.value_or(i) == i) found->second[i]->Request();
		}
	}

	Napi::Promise Close(Napi::Env env) {
		const auto deferred = Napi::Promise::Deferred::New(env);
		closers_.push_back(deferred);
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
	/** Takes a slot under that id, until Releaser's function is called. */
	Expected<Cancels> Enter(Napi::Env env, double clip, size_t count) {
		if (closed_) return Failure{"closed", "it has been closed"};
		if (static_cast<int>(running_.size()) >= slots_) {
			return Failure{"engine_failed", "all " + std::to_string(slots_) + " slots are taken"};
		}
		if (running_.contains(clip)) return Failure{"engine_failed", "a clip of that number is running already"};
		Cancels cancels;
		for (size_t i = 0; i < count; i++) cancels.push_back(std::make_shared<Cancel>(EnvState::Of(env).exiting));
		running_.emplace(clip, cancels);
		return cancels;
	}

	/** Releases the slot if `start` throws. */
	template <class Starter>
	auto ReleaseOnThrow(double clip, Starter&& start) {
		try {
			return start();
		} catch (...) {
			running_.erase(clip);
			throw;
		}
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
		for (const auto& deferred : std::exchange(closers_, {})) deferred.Resolve(env.Undefined());
	}

	std::shared_ptr<Engine> engine_;
	const int slots_;
	const FreeOn free_on_;
	std::unordered_map<double, Cancels> running_;
	std::vector<Napi::Promise::Deferred> closers_;
	bool closed_ = false;
	bool freed_ = false;
};

/** A handle that becomes unusable after a failure or its end: later calls fail without reaching the engine. One call at
 * a time. */
template <class Engine>
struct OneWay {
	const std::shared_ptr<Engine> engine;
	bool ended = false;

	/** `last`: the call ends it. `work` takes the engine and returns an Expected. */
	template <class Work>
	auto Call(bool last, Work&& work) -> decltype(work(*engine)) {
		if (ended) return Failure{"closed", "it has ended"};
		auto result = work(*engine);
		ended = last || !result;
		return result;
	}
};

template <class Engine>
std::shared_ptr<OneWay<Engine>> OneWayOf(std::shared_ptr<Engine> engine) {
	return std::make_shared<OneWay<Engine>>(OneWay<Engine>{std::move(engine)});
}

}  // namespace earshot
