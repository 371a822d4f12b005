// Models as JavaScript holds them.
#pragma once

#include <memory>

#include <napi.h>

#include "sherpa/engine.h"

namespace earshot {

/** LoadedModel of binding.d.ts, over an engine that takes `slots` clips at once. */
Napi::Object MakeModel(Napi::Env env, std::shared_ptr<SherpaEngine> engine, int slots);

}  // namespace earshot
