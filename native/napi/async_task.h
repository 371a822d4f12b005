// Work on the libuv pool that settles a promise.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <napi.h>

#include "core/cancel.h"
#include "core/failure.h"
#include "napi/errors.h"

namespace earshot {

/**
 * Work on the libuv pool that settles one promise. Run on a pool thread; everything else, the destructor too, on
 * the JavaScript thread.
 */
class AsyncTask {
public:
	virtual ~AsyncTask() = default;
	AsyncTask(const AsyncTask&) = delete;
	AsyncTask& operator=(const AsyncTask&) = delete;

	static Napi::Promise Start(Napi::Env env, std::unique_ptr<AsyncTask> task);

protected:
	AsyncTask() = default;
	virtual void Run() noexcept = 0;
	/** Called once after Run, or without Run when the environment has gone. Frees slots and the like. */
	virtual void Finish(Napi::Env) {}
	/** The promise's value; a Napi::Error thrown rejects it. */
	virtual Napi::Value Settle(Napi::Env env) = 0;

private:
	static void Execute(napi_env env, void* data);
	static void Complete(napi_env env, napi_status status, void* data);

	napi_async_work work_ = nullptr;
	std::unique_ptr<Napi::Promise::Deferred> deferred_;
};

/** An AsyncTask made of functions, which own their data, since JavaScript may change its memory meanwhile. */
template <class T>
class Task final : public AsyncTask {
public:
	using Work = std::function<Expected<T>()>;
	using Convert = std::function<Napi::Value(Napi::Env, T&)>;

	Task(Work work, Convert convert) : work_(std::move(work)), convert_(std::move(convert)) {}

	std::function<void(Napi::Env)> finished;

protected:
	void Run() noexcept override {
		result_ = Guarded("engine_failed", "earshot", work_);
	}
	void Finish(Napi::Env env) override {
		if (finished) finished(env);
	}
	Napi::Value Settle(Napi::Env env) override {
		if (!result_) throw MakeError(env, result_.failure());
		return convert_(env, *result_);
	}

private:
	Work work_;
	Convert convert_;
	Expected<T> result_ = Cancelled();
};

}  // namespace earshot
