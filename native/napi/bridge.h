// Between Node-API and the engines: promises, errors, options. All on the JavaScript thread unless said otherwise.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <napi.h>

#include "core/cancel.h"
#include "core/failure.h"

namespace earshot {

/** To the JavaScript thread of an environment. Any thread. */
class Mailbox {
public:
	using Letter = std::function<void(Napi::Env)>;

	/** On the JavaScript thread. It keeps no event loop alive. */
	static std::shared_ptr<Mailbox> Make(Napi::Env env);

	/** Has `letter` called there soon, in order; drops it where the environment is going away. Never waits or throws. */
	void Post(Letter letter) noexcept;

private:
	static void Open(Napi::Env env, Napi::Function, std::nullptr_t*, Letter* letter);
	using Function = Napi::TypedThreadSafeFunction<std::nullptr_t, Letter, Open>;

	std::mutex mutex_;
	Function function_;    // guarded by mutex_
	bool closed_ = false;  // guarded by mutex_
};

/** One for each environment: the main thread, and every worker thread that loads the addon. */
struct EnvState {
	/** Raised when the environment goes away; every Cancel of it asks. */
	std::shared_ptr<Signal> exiting = std::make_shared<Signal>();
	std::shared_ptr<Mailbox> mailbox;
	/** Number of its log sink, 0 for none. */
	uint64_t sink = 0;

	static EnvState& Of(Napi::Env env) { return *env.GetInstanceData<EnvState>(); }
};

/** Makes the EnvState and what lets it go: at process.exit() only the 'exit' event of JavaScript comes. */
void InitEnv(Napi::Env env);

/** NativeError of binding.d.ts. */
Napi::Error MakeError(Napi::Env env, const Failure& failure);

/** A promise that is rejected already. */
Napi::Promise Rejected(Napi::Env env, const Failure& failure);

/** `sink` is a function or null. */
void SetLogSink(Napi::Env env, Napi::Value sink);

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

/** An AsyncTask out of functions. `keep` holds what Run reads of JavaScript's. */
template <class T>
class Task final : public AsyncTask {
public:
	using Work = std::function<Expected<T>()>;
	using Convert = std::function<Napi::Value(Napi::Env, T&)>;

	Task(Work work, Convert convert) : work_(std::move(work)), convert_(std::move(convert)) {}

	std::vector<Napi::Reference<Napi::Value>> keep;
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

/** Fields of an options object. TypeScript has validated them: a wrong type is a bug, and throws a TypeError. */
class Options {
public:
	explicit Options(Napi::Value value) : object_(value.As<Napi::Object>()) {}

	std::string String(const char* name) const { return object_.Get(name).As<Napi::String>().Utf8Value(); }
	double Number(const char* name) const { return object_.Get(name).As<Napi::Number>().DoubleValue(); }
	int Int(const char* name) const { return object_.Get(name).As<Napi::Number>().Int32Value(); }
	float Float(const char* name) const { return object_.Get(name).As<Napi::Number>().FloatValue(); }
	bool Bool(const char* name) const { return object_.Get(name).As<Napi::Boolean>().Value(); }
	std::vector<int> Ints(const char* name) const {
		const auto array = object_.Get(name).As<Napi::Array>();
		std::vector<int> values;
		for (uint32_t i = 0; i < array.Length(); i++) values.push_back(array.Get(i).As<Napi::Number>().Int32Value());
		return values;
	}
	std::vector<std::string> Strings(const char* name) const {
		const auto array = object_.Get(name).As<Napi::Array>();
		std::vector<std::string> values;
		for (uint32_t i = 0; i < array.Length(); i++) values.push_back(array.Get(i).As<Napi::String>().Utf8Value());
		return values;
	}
	Napi::Value Value(const char* name) const { return object_.Get(name); }
	Napi::Object Object(const char* name) const { return object_.Get(name).As<Napi::Object>(); }

private:
	Napi::Object object_;
};

template <class Array, class Element>
Array TypedCopy(Napi::Env env, const Element* data, size_t count) {
	Array array = Array::New(env, count);
	std::copy_n(data, count, array.Data());
	return array;
}

}  // namespace earshot
