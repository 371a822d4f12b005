#include "napi/callbacks.h"

#include <exception>
#include <utility>

namespace earshot {

std::shared_ptr<CallbackQueue> CallbackQueue::Make(Napi::Env env) {
	auto callbacks = std::make_shared<CallbackQueue>();
	// At teardown the finalizer runs before Node frees the function: nothing may be posted after it.
	callbacks->function_ = Function::New(env, "earshot callbacks", 0, 1, nullptr,
		[callbacks](Napi::Env, void*, std::nullptr_t*) {
			const std::lock_guard lock(callbacks->mutex_);
			callbacks->closed_ = true;
		}, static_cast<void*>(nullptr));
	callbacks->function_.Unref(env);
	return callbacks;
}

void CallbackQueue::Post(Callback callback) noexcept {
	try {
		auto sent = std::make_unique<Callback>(std::move(callback));
		const std::lock_guard lock(mutex_);
		if (closed_) return;
		const napi_status status = function_.NonBlockingCall(sent.get());
		if (status == napi_ok) (void)sent.release();
		if (status == napi_closing) closed_ = true;
	} catch (const std::exception&) {
		// No memory: drop the callback.
	}
}

void CallbackQueue::Invoke(Napi::Env env, Napi::Function, std::nullptr_t*, Callback* callback) {
	const std::unique_ptr<Callback> taken(callback);
	if (static_cast<napi_env>(env) == nullptr || !taken) return;
	try {
		(*taken)(env);
	} catch (const Napi::Error&) {
		// During environment teardown every call fails, which is fine.
	}
}

}  // namespace earshot
