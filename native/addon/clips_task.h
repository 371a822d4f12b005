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
 * The clips of a batch on the pool, with a promise for each. One that is done before the last settles at once; the last,
 * and what nothing was told of, when the task has ended: then there is a slot for whoever waits for it.
 */
class ClipsTask final : public AsyncTask {
public:
	using Work = std::function<Expected<Done>(const Tell&)>;

	/** Runs `work` on clips which are `arrays`, and calls `finished` before the last promises settle. */
	static std::vector<Napi::Promise> Start(Napi::Env env, const std::vector<Napi::Value>& arrays, Work work,
		std::function<void(Napi::Env)> finished) {
		auto answers = std::make_shared<Answers>(env, arrays.size());
		std::vector<Napi::Promise> promises;
		for (const Answer& answer : answers->all) promises.push_back(answer.deferred.Promise());
		std::unique_ptr<ClipsTask> task(new ClipsTask(std::move(answers), std::move(work), std::move(finished)));
		for (const Napi::Value& array : arrays) task->keep_.push_back(Napi::Persistent(array));
		AsyncTask::Start(env, std::move(task));
		return promises;
	}

protected:
	void Run() noexcept override {
		ended_ = Guarded("engine_failed", "earshot", [this] {
			return work_([&answers = answers_](size_t clip, Expected<RawResult> result) {
				answers->all[clip].result = std::move(result);
				if (--answers->untold == 0) return;
				answers->mailbox->Post([answers, clip](Napi::Env env) { Settle(env, answers->all[clip]); });
			});
		});
	}
	void Finish(Napi::Env env) override {
		finished_(env);
		const Failure untold = ended_ ? Failure{"engine_failed", "the engine gave no result for the clip"} : ended_.failure();
		for (Answer& answer : answers_->all) {
			if (!answer.result) answer.result = untold;
			Settle(env, answer);
		}
	}
	Napi::Value Settle(Napi::Env env) override { return env.Undefined(); }

private:
	struct Answer {
		Napi::Promise::Deferred deferred;
		/** Written once, on the thread that ran the clip, before anybody is told. */
		std::optional<Expected<RawResult>> result;
		bool settled = false;
	};
	/** Outlives the task while a letter about it is on its way. */
	struct Answers {
		Answers(Napi::Env env, size_t clips) : mailbox(EnvState::Of(env).mailbox), untold(clips) {
			for (size_t i = 0; i < clips; i++) all.push_back({Napi::Promise::Deferred::New(env), std::nullopt});
		}
		const std::shared_ptr<Mailbox> mailbox;
		std::vector<Answer> all;
		std::atomic<size_t> untold;
	};

	ClipsTask(std::shared_ptr<Answers> answers, Work work, std::function<void(Napi::Env)> finished)
		: answers_(std::move(answers)), work_(std::move(work)), finished_(std::move(finished)) {}

	static void Settle(Napi::Env env, Answer& answer) {
		if (std::exchange(answer.settled, true)) return;
		try {
			if (!*answer.result) throw MakeError(env, answer.result->failure());
			answer.deferred.Resolve(ToJs(env, **answer.result));
		} catch (const Napi::Error& error) {
			answer.deferred.Reject(error.Value());
		}
		answer.result.reset();
	}

	const std::shared_ptr<Answers> answers_;
	const Work work_;
	const std::function<void(Napi::Env)> finished_;
	/** The samples. */
	std::vector<Napi::Reference<Napi::Value>> keep_;
	Expected<Done> ended_ = Cancelled();
};

}  // namespace earshot
