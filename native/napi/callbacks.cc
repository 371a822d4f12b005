#include "napi/callbacks.h"

#include <exception>
#include <utility>

namespace earshot {

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

}  // namespace earshot
