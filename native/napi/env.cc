#include "napi/env.h"

namespace earshot {

void InitEnv(Napi::Env env) {
	auto* state = new EnvState;  // freed by Node-API at teardown
	env.SetInstanceData(state);
	state->callbacks = CallbackQueue::Make(env);
	const auto exiting = state->exiting;
	env.AddCleanupHook([exiting] { exiting->Raise(); });
	// process.exit() waits for the pool's threads and runs no cleanup hook before that: use the 'exit' event, too.
	Napi::Object process = env.Global().Get("process").As<Napi::Object>();
	process.Get("on").As<Napi::Function>().Call(process,
		{Napi::String::New(env, "exit"),
			Napi::Function::New(env, [exiting](const Napi::CallbackInfo&) { exiting->Raise(); })});
}

}  // namespace earshot
