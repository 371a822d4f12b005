// Calls from any thread to the JavaScript thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

#include <napi.h>

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

}  // namespace earshot
