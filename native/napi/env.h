// State of one Node environment. JavaScript thread only.
#pragma once

#include <cstdint>
#include <memory>

#include <napi.h>

#include "core/cancel.h"
#include "napi/callbacks.h"

namespace earshot {

/** One per environment: the main thread, and every worker thread that loads the addon. */
struct EnvState {
	/** Raised at environment teardown; cancels everything that runs. */
	std::shared_ptr<Signal> exiting = std::make_shared<Signal>();
	std::shared_ptr<CallbackQueue> callbacks;
	/** Number of its log sink; 0 = none. */
	uint64_t sink = 0;

	static EnvState& Of(Napi::Env env) { return *env.GetInstanceData<EnvState>(); }
};

/** Creates the EnvState and the hooks that raise `exiting`. */
void InitEnv(Napi::Env env);

}  // namespace earshot
