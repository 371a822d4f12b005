#include "napi/bridge.h"

#include <atomic>
#include <map>
#include <mutex>

#include "core/log.h"

namespace earshot {

// ---- log sinks ---------------------------------------------------------------------------------

namespace {

struct LogLine {
	LogLevel level;
	std::string text;
};

/** Runs on the JavaScript thread of the sink. `env` is null when the environment is going away. */
void CallSink(Napi::Env env, Napi::Function sink, std::nullptr_t*, LogLine* data) {
	const std::unique_ptr<LogLine> line(data);
	if (static_cast<napi_env>(env) == nullptr || !line) return;
	static constexpr const char* kNames[] = {"debug", "info", "warn", "error"};
	try {
		sink.Call({Napi::String::New(env, kNames[static_cast<int>(line->level)]), Napi::String::New(env, line->text)});
	} catch (const Napi::Error&) {
		// A sink that throws has nobody to tell; its next line may fare better.
	}
}

using SinkFunction = Napi::TypedThreadSafeFunction<std::nullptr_t, LogLine, CallSink>;

/** Lines beyond this wait for nobody: a flood from a broken file must not become memory. */
constexpr size_t kSinkQueue = 1024;

struct Sinks {
	std::mutex mutex;
	std::map<uint64_t, SinkFunction> functions;  // guarded by mutex
	uint64_t next = 1;                           // guarded by mutex
	std::atomic<size_t> count{0};
};

/** Never destroyed: engines log from threads that may outlive the statics. */
Sinks& AllSinks() {
	static auto* sinks = new Sinks;
	return *sinks;
}

void RemoveSink(uint64_t number, bool release) {
	Sinks& sinks = AllSinks();
	const std::lock_guard lock(sinks.mutex);
	const auto found = sinks.functions.find(number);
	if (found == sinks.functions.end()) return;
	if (release) found->second.Release();
	sinks.functions.erase(found);
	sinks.count = sinks.functions.size();
}

}  // namespace

void Log(LogLevel level, std::string line) {
	Sinks& sinks = AllSinks();
	if (sinks.count.load(std::memory_order_relaxed) == 0) return;
	const std::lock_guard lock(sinks.mutex);
	for (auto& [number, function] : sinks.functions) {
		auto item = std::make_unique<LogLine>(LogLine{level, line});
		if (function.NonBlockingCall(item.get()) == napi_ok) (void)item.release();
	}
}

void SetLogSink(Napi::Env env, Napi::Value sink) {
	EnvState& state = EnvState::Of(env);
	RemoveSink(std::exchange(state.sink, 0), true);
	if (!sink.IsFunction()) return;

	Sinks& sinks = AllSinks();
	const std::lock_guard lock(sinks.mutex);
	const uint64_t number = sinks.next++;
	// The finalizer runs before Node frees the function when the environment ends: no line may come after it.
	SinkFunction function = SinkFunction::New(env, sink.As<Napi::Function>(), "earshot log", kSinkQueue, 1, nullptr,
		[number](Napi::Env, void*, std::nullptr_t*) { RemoveSink(number, false); }, static_cast<void*>(nullptr));
	function.Unref(env);
	sinks.functions.emplace(number, function);
	sinks.count = sinks.functions.size();
	state.sink = number;
}

// ---- letters -----------------------------------------------------------------------------------

std::shared_ptr<Mailbox> Mailbox::Make(Napi::Env env) {
	auto mailbox = std::make_shared<Mailbox>();
	// The finalizer runs before Node frees the function when the environment ends: no letter may come after it.
	mailbox->function_ = Function::New(env, "earshot letters", 0, 1, nullptr,
		[mailbox](Napi::Env, void*, std::nullptr_t*) {
			const std::lock_guard lock(mailbox->mutex_);
			mailbox->closed_ = true;
		}, static_cast<void*>(nullptr));
	mailbox->function_.Unref(env);
	return mailbox;
}

void Mailbox::Post(Letter letter) noexcept {
	try {
		auto sent = std::make_unique<Letter>(std::move(letter));
		const std::lock_guard lock(mutex_);
		if (closed_) return;
		const napi_status status = function_.NonBlockingCall(sent.get());
		if (status == napi_ok) (void)sent.release();
		if (status == napi_closing) closed_ = true;
	} catch (const std::exception&) {
		// Without memory for the letter nothing is told now.
	}
}

void Mailbox::Open(Napi::Env env, Napi::Function, std::nullptr_t*, Letter* letter) {
	const std::unique_ptr<Letter> opened(letter);
	if (static_cast<napi_env>(env) == nullptr || !opened) return;
	try {
		(*opened)(env);
	} catch (const Napi::Error&) {
		// In an environment that is going away every call fails, and so be it.
	}
}

// ---- environments ------------------------------------------------------------------------------

void InitEnv(Napi::Env env) {
	auto* state = new EnvState;  // freed by Node-API with the environment
	env.SetInstanceData(state);
	state->mailbox = Mailbox::Make(env);
	const auto exiting = state->exiting;
	env.AddCleanupHook([exiting] { exiting->Raise(); });
	// At process.exit() Node waits for the pool's threads without telling anybody else.
	Napi::Object process = env.Global().Get("process").As<Napi::Object>();
	process.Get("on").As<Napi::Function>().Call(process,
		{Napi::String::New(env, "exit"),
			Napi::Function::New(env, [exiting](const Napi::CallbackInfo&) { exiting->Raise(); })});
}

Napi::Error MakeError(Napi::Env env, const Failure& failure) {
	Napi::Error error = Napi::Error::New(env, failure.text);
	error.Set("code", Napi::String::New(env, failure.code));
	return error;
}

Napi::Promise Rejected(Napi::Env env, const Failure& failure) {
	const auto deferred = Napi::Promise::Deferred::New(env);
	deferred.Reject(MakeError(env, failure).Value());
	return deferred.Promise();
}

// ---- work on the pool --------------------------------------------------------------------------

Napi::Promise AsyncTask::Start(Napi::Env env, std::unique_ptr<AsyncTask> task) {
	task->deferred_ = std::make_unique<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(env));
	const Napi::Promise promise = task->deferred_->Promise();
	napi_status status =
		napi_create_async_work(env, nullptr, Napi::String::New(env, "earshot"), Execute, Complete, task.get(), &task->work_);
	if (status != napi_ok) throw Napi::Error::New(env);
	status = napi_queue_async_work(env, task->work_);
	if (status != napi_ok) {
		napi_delete_async_work(env, task->work_);
		throw Napi::Error::New(env);
	}
	(void)task.release();  // Complete takes it back
	return promise;
}

void AsyncTask::Execute(napi_env, void* data) { static_cast<AsyncTask*>(data)->Run(); }

void AsyncTask::Complete(napi_env raw, napi_status, void* data) {
	const std::unique_ptr<AsyncTask> task(static_cast<AsyncTask*>(data));
	const Napi::Env env(raw);
	// Nothing may be thrown from here. In an environment that is going away every call fails, and so be it.
	try {
		const Napi::HandleScope scope(env);
		napi_delete_async_work(raw, task->work_);
		task->Finish(env);
		try {
			task->deferred_->Resolve(task->Settle(env));
		} catch (const Napi::Error& error) {
			task->deferred_->Reject(error.Value());
		} catch (const std::exception& error) {
			task->deferred_->Reject(MakeError(env, {"engine_failed", error.what()}).Value());
		}
	} catch (...) {
	}
}

}  // namespace earshot
