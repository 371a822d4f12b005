// Voice activity detection.
#include <functional>
#include <memory>
#include <utility>

#include <napi.h>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "addon/session.h"
#include "napi/async_task.h"
#include "napi/errors.h"
#include "napi/options.h"
#include "vad/vad.h"

namespace earshot {

namespace {

Napi::Object MakeVadSession(Napi::Env env, std::shared_ptr<VadSession> opened) {
	Napi::Object session = Napi::Object::New(env);
	const auto handle = std::make_shared<Handle<VadSession>>(std::move(opened), 1, FreeOn::kCallingThread);
	session.Set("push", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		const Clip samples = ViewOf(info[0]);
		const bool last = info[1].As<Napi::Boolean>().Value();
		return handle->Start<VadSegments>(info.Env(), 0, {info[0]},
			[samples, last](VadSession& running, const Cancel& cancel) { return running.Push(samples, last, cancel); },
			[](Napi::Env settled, VadSegments& found) -> Napi::Value { return ToJs(settled, found); });
	}, "push"));
	session.Set("close", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		return handle->Close(info.Env());
	}, "close"));
	return session;
}

Napi::Object MakeVoiceActivity(Napi::Env env, std::shared_ptr<VoiceActivity> activity) {
	Napi::Object object = Napi::Object::New(env);
	const auto held = std::make_shared<std::shared_ptr<VoiceActivity>>(std::move(activity));
	object.Set("openSession", Napi::Function::New(env, [held](const Napi::CallbackInfo& info) -> Napi::Value {
		if (!*held) throw MakeError(info.Env(), {"closed", "it has been closed"});
		return MakeVadSession(info.Env(), (*held)->NewSession());
	}, "openSession"));
	// Open sessions hold their own reference to the engine.
	object.Set("close", Napi::Function::New(env, [held](const Napi::CallbackInfo&) { held->reset(); }, "close"));
	return object;
}

}  // namespace

Napi::Value LoadVoiceActivity(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	const VadOptions rules = {options.Float("threshold"), options.Float("minSilenceSeconds"),
		options.Float("minSpeechSeconds"), options.Float("maxSpeechSeconds")};
	using Loaded = std::shared_ptr<VoiceActivity>;
	std::function<Expected<Loaded>()> load;
	if (const Napi::Value detector = options.Value("detector"); detector.IsExternal()) {
		load = [network = *detector.As<Napi::External<Session>>().Data(), rules]() -> Expected<Loaded> {
			return VoiceActivity::FromSession(network, rules);
		};
	} else {
		const Options sherpa(detector);
		load = [from = SherpaDetectorLoad{sherpa.String("libraryDir"), sherpa.String("path"), sherpa.Bool("ten"),
					sherpa.Int("overlap")},
				   rules] { return VoiceActivity::Load(from, rules); };
	}
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>(std::move(load),
		[](Napi::Env env, Loaded& engine) { return MakeVoiceActivity(env, std::move(engine)); }));
}

}  // namespace earshot
