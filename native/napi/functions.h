// Functions that JavaScript calls. C++ exceptions in them become NativeErrors.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include <napi.h>

#include "napi/errors.h"

namespace earshot {

/** Runs `work`, which returns a JavaScript value. */
template <class Work>
Napi::Value Checked(Napi::Env env, Work&& work) {
	try {
		return work();
	} catch (const Napi::Error&) {
		throw;
	} catch (const std::bad_alloc&) {
		throw MakeError(env, {"out_of_memory", "there is no memory for the call"});
	} catch (const std::exception& error) {
		throw MakeError(env, {"engine_failed", error.what()});
	}
}

/** A function that throws its failures. `callback` takes a CallbackInfo and returns a value. */
template <class Callback>
Napi::Function Function(Napi::Env env, const char* name, Callback callback) {
	return Napi::Function::New(env, [callback = std::move(callback)](const Napi::CallbackInfo& info) -> Napi::Value {
		return Checked(info.Env(), [&]() -> Napi::Value { return callback(info); });
	}, name);
}

/** A function that returns a promise, which its failures reject. */
template <class Callback>
Napi::Function AsyncFunction(Napi::Env env, const char* name, Callback callback) {
	return Napi::Function::New(env, [callback = std::move(callback)](const Napi::CallbackInfo& info) -> Napi::Value {
		try {
			return Checked(info.Env(), [&]() -> Napi::Value { return callback(info); });
		} catch (const Napi::Error& error) {
			const auto deferred = Napi::Promise::Deferred::New(info.Env());
			deferred.Reject(error.Value());
			return deferred.Promise();
		}
	}, name);
}

}  // namespace earshot
