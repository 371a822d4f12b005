// What belongs to one environment of Node. On its JavaScript thread.
#pragma once

#include <cstdint>
#include <memory>

#include <napi.h>

#include "core/cancel.h"
#include "napi/callbacks.h"

namespace earshot {

/** One for each environment: the main thread, and every worker thread that loads the addon. */
struct EnvState {
	/** Raised when the environment goes away; every Cancel of it asks. */
	std::shared_ptr<Signal> exiting = std::make_shared<Signal>();
	std::shared_ptr<CallbackQueue> callbacks;
	/** Number of its log sink, 0 for none. */
	uint64_t sink = 0;

	static EnvState& Of(Napi::Env env) { return *env.GetInstanceData<EnvState>(); }
};

/** Makes the EnvState and what lets it go: at process.exit() only the 'exit' event of JavaScript comes. */
void InitEnv(Napi::Env env);

}  // namespace earshot
