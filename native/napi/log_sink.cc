#include "napi/log_sink.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/log.h"
#include "napi/arguments.h"
#include "napi/env.h"

namespace earshot {

namespace {

struct LogLine {
	LogLevel level;
	std::string text;
};

/** Runs on the JavaScript thread of the sink. `env` is null during environment teardown. */
void CallSink(Napi::Env env, Napi::Function sink, std::nullptr_t*, LogLine* data) {
	const std::unique_ptr<LogLine> line(data);
	if (static_cast<napi_env>(env) == nullptr || !line) return;
	static constexpr const char* kNames[] = {"debug", "info", "warn", "error"};
	try {
		sink.Call({Napi::String::New(env, kNames[static_cast<int>(line->level)]), Napi::String::New(env, line->text)});
	} catch (const Napi::Error&) {
		// Ignore a sink that throws: the next line may succeed.
	}
}

using SinkFunction = Napi::TypedThreadSafeFunction<std::nullptr_t, LogLine, CallSink>;

/** Lines beyond this are dropped, so that a flood from a broken file does not fill memory. */
constexpr size_t kSinkQueue = 1024;

struct Sinks {
	std::mutex mutex;
	std::map<uint64_t, SinkFunction> functions;  // guarded by mutex
	uint64_t next = 1;                           // guarded by mutex
	std::atomic<size_t> count{0};
};

/** Never destroyed: engines log from threads that may outlive static objects. */
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
	if (!sink.IsFunction() && !sink.IsNull()) throw Refusal("sink", "a function or null", sink);
	EnvState& state = EnvState::Of(env);
	RemoveSink(std::exchange(state.sink, 0), true);
	if (!sink.IsFunction()) return;

	Sinks& sinks = AllSinks();
	const std::lock_guard lock(sinks.mutex);
	const uint64_t number = sinks.next++;
	// At teardown the finalizer runs before Node frees the function: no line may be sent after it.
	SinkFunction function = SinkFunction::New(env, sink.As<Napi::Function>(), "earshot log", kSinkQueue, 1, nullptr,
		[number](Napi::Env, void*, std::nullptr_t*) { RemoveSink(number, false); }, static_cast<void*>(nullptr));
	function.Unref(env);
	sinks.functions.emplace(number, function);
	sinks.count = sinks.functions.size();
	state.sink = number;
}

}  // namespace earshot
