// Models as JavaScript objects.
#pragma once

#include <functional>
#include <memory>

#include <napi.h>

#include "sherpa/engine.h"

namespace earshot {

/** A Model as declared in binding.d.ts, for an engine that runs `slots` calls at once. `on_close`: called on the
 * JavaScript thread when `close` is called, before anything is freed. */
Napi::Object MakeModel(
	Napi::Env env, std::shared_ptr<SherpaEngine> engine, int slots, std::function<void()> on_close = {});

}  // namespace earshot
