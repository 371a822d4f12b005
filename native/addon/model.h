// Models as JavaScript objects.
#pragma once

#include <memory>

#include <napi.h>

#include "sherpa/engine.h"

namespace earshot {

/** A Model as declared in binding.d.ts, for an engine that runs `slots` calls at once. */
Napi::Object MakeModel(Napi::Env env, std::shared_ptr<SherpaEngine> engine, int slots);

}  // namespace earshot
