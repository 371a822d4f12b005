// Posts callbacks from any thread to the JavaScript thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

#include <napi.h>

namespace earshot {

/** Queue of one environment. Any thread. */
class CallbackQueue {
public:
	using Callback = std::function<void(Napi::Env)>;

	/** JavaScript thread only. Does not keep the event loop alive. */
	static std::shared_ptr<CallbackQueue> Make(Napi::Env env);

	/** Queues `callback`, in order. Dropped during environment teardown or if memory is short. Never blocks or throws. */
	void Post(Callback callback) noexcept;

private:
	static void Invoke(Napi::Env env, Napi::Function, std::nullptr_t*, Callback* callback);
	using Function = Napi::TypedThreadSafeFunction<std::nullptr_t, Callback, Invoke>;

	std::mutex mutex_;
	Function function_;    // guarded by mutex_
	bool closed_ = false;  // guarded by mutex_
};

}  // namespace earshot
