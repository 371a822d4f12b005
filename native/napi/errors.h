// Failures as JavaScript sees them. On the JavaScript thread.
#pragma once

#include <napi.h>

#include "core/failure.h"

namespace earshot {

/** NativeError of binding.d.ts. */
Napi::Error MakeError(Napi::Env env, const Failure& failure);

/** A promise that is rejected already. */
Napi::Promise Rejected(Napi::Env env, const Failure& failure);

}  // namespace earshot
