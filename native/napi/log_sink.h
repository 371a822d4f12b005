// Passes log lines to JavaScript.
#pragma once

#include <napi.h>

namespace earshot {

/** `sink`: a function, or null for none. */
void SetLogSink(Napi::Env env, Napi::Value sink);

}  // namespace earshot
