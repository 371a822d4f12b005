// Runs the clips of a batch on the libuv thread pool, with one promise per clip.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <napi.h>

#include "addon/convert.h"
#include "core/failure.h"
#include "core/result.h"
#include "napi/async_task.h"
#include "napi/env.h"
#include "napi/errors.h"

namespace earshot {

/**
 * Each promise settles as soon as its clip is done. The last one, and those of clips without a result, settle when the
 * task has ended, so that its slot is free when the caller is notified.
 */
class ClipsTask final : public AsyncTask {
public:
	using Work = std::function<Expected<Done>(const OnResult&)>;

	/** Runs `work` on the clips in `arrays`, and calls `finished` before the last promises settle. */
	static std::vector<Napi::Promise> Start(Napi::Env env, const std::vector<Napi::Value>& arrays, Work work,
		std::function<void(Napi::Env)> finished) {
		auto pending = std::make_shared<PendingClips>(env, arrays.size());
		std::vector<Napi::Promise> promises;
		for (const PendingClip& clip : pending->all) promises.push_back(clip.deferred.Promise());
		std::unique_ptr<ClipsTask> task(new ClipsTask(std::move(pending), std::move(work), std::move(finished)));
		for (const Napi::Value& array : arrays) task->keep_.push_back(Napi::Persistent(array));
		AsyncTask::Start(env, std::move(task));
		return promises;
	}

protected:
	void Run() noexcept override {
		ended_ = Guarded("engine_failed", "earshot", [this] {
			return work_([&pending = pending_](size_t clip, Expected<RawResult> result) {
				pending->all[clip].result = std::move(result);
				if (--pending->unreported == 0) return;
				pending->callbacks->Post([pending, clip](Napi::Env env) { Settle(env, pending->all[clip]); });
			});
		});
	}
	void Finish(Napi::Env env) override {
		finished_(env);
		const Failure missing =
			ended_ ? Failure{"engine_failed", "the engine returned no result for the clip"} : ended_.failure();
		for (PendingClip& clip : pending_->all) {
			if (!clip.result) clip.result = missing;
			Settle(env, clip);
		}
	}
	Napi::Value Settle(Napi::Env env) override { return env.Undefined(); }

private:
	struct PendingClip {
		Napi::Promise::Deferred deferred;
		/** Written once, on the thread that ran the clip, before a callback is posted. */
		std::optional<Expected<RawResult>> result;
		bool settled = false;
	};
	/** Outlives the task while one of its callbacks is queued. */
	struct PendingClips {
		PendingClips(Napi::Env env, size_t clips) : callbacks(EnvState::Of(env).callbacks), unreported(clips) {
			for (size_t i = 0; i < clips; i++) all.push_back({Napi::Promise::Deferred::New(env), std::nullopt});
		}
		const std::shared_ptr<CallbackQueue> callbacks;
		std::vector<PendingClip> all;
		std::atomic<size_t> unreported;
	};

	ClipsTask(std::shared_ptr<PendingClips> pending, Work work, std::function<void(Napi::Env)> finished)
		: pending_(std::move(pending)), work_(std::move(work)), finished_(std::move(finished)) {}

	static void Settle(Napi::Env env, PendingClip& clip) {
		if (std::exchange(clip.settled, true)) return;
		try {
			if (!*clip.result) throw MakeError(env, clip.result->failure());
			clip.deferred.Resolve(ToJs(env, **clip.result));
		} catch (const Napi::Error& error) {
			clip.deferred.Reject(error.Value());
		}
		clip.result.reset();
	}

	const std::shared_ptr<PendingClips> pending_;
	const Work work_;
	const std::function<void(Napi::Env)> finished_;
	/** The arrays of samples. */
	std::vector<Napi::Reference<Napi::Value>> keep_;
	Expected<Done> ended_ = Cancelled();
};

}  // namespace earshot
