// Log lines to JavaScript.
#pragma once

#include <napi.h>

namespace earshot {

/** `sink` is a function or null. */
void SetLogSink(Napi::Env env, Napi::Value sink);

}  // namespace earshot
