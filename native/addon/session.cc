#include "addon/session.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <napi.h>

#include "addon/exports.h"
#include "napi/async_task.h"
#include "napi/options.h"

namespace earshot {

namespace {

ort::SessionLoad ReadSession(const Options& options, int threads) {
	const auto graph = options.Value("graph").As<Napi::Uint8Array>();
	return {options.String("library"), {graph.Data(), graph.Data() + graph.ByteLength()}, options.String("folder"),
		threads};
}

Napi::Promise LoadSession(Napi::Env env, ort::SessionLoad load) {
	return AsyncTask::Start(env,
		std::make_unique<Task<Session>>([load = std::move(load)] { return ort::Session::Load(load); },
			[](Napi::Env settled, Session& session) -> Napi::Value {
				// Freed by Node-API's finalizer.
				return Napi::External<Session>::New(settled, std::make_unique<Session>(std::move(session)).release(),
					[](Napi::Env, Session* held) { const std::unique_ptr<Session> owned(held); });
			}));
}

}  // namespace

Napi::Value LoadEncoder(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	ort::SessionLoad load = ReadSession(options, std::max(1, options.Int("threads")));
	load.exact_int8 = options.Value("exactInt8").ToBoolean();
	return LoadSession(info.Env(), std::move(load));
}

Napi::Value LoadSpeechNetwork(const Napi::CallbackInfo& info) {
	return LoadSession(info.Env(), ReadSession(Options(info[0]), 1));
}

}  // namespace earshot
