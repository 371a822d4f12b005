#include "napi/errors.h"

namespace earshot {

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

}  // namespace earshot
