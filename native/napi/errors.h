// Converts failures to JavaScript errors. JavaScript thread only.
#pragma once

#include <napi.h>

#include "core/failure.h"

namespace earshot {

/** A NativeError, as declared in binding.d.ts. */
Napi::Error MakeError(Napi::Env env, const Failure& failure);

/** A rejected promise. */
Napi::Promise Rejected(Napi::Env env, const Failure& failure);

}  // namespace earshot
