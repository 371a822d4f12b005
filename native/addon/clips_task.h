// The clips of a batch on the libuv pool, a promise for each.
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
 * The clips of a batch on the pool, with a promise for each. A clip that finishes before the last one settles at once.
 * The last one, and clips without a result, settle when the task has ended, so that its slot is free when the caller is
 * notified.
 */
class ClipsTask final : public AsyncTask {
public:
	using Work = std::function<Expected<Done>(const OnResult&)>;

	/** Runs `work`, which owns the samples of the clips, and calls `finished` before the last promises settle. */
	static std::vector<Napi::Promise> Start(
		Napi::Env env, size_t clips, Work work, std::function<void(Napi::Env)> finished) {
		auto pending = std::make_shared<PendingClips>(env, clips);
		std::vector<Napi::Promise> promises;
		for (const PendingClip& clip : pending->all) promises.push_back(clip.deferred.Promise());
		std::unique_ptr<ClipsTask> task(new ClipsTask(std::move(pending), std::move(work), std::move(finished)));
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
		const Failure missing = ended_ ? Failure{"engine_failed", "the engine gave no result for the clip"} : ended_.failure();
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
	Expected<Done> ended_ = Cancelled();
};

}  // namespace earshot
