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
	const auto handle = std::make_shared<Handle<VadSession>>(std::move(opened), 1, Freed::kAtOnce);
	session.Set("hear", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		const Clip samples = ViewOf(info[0]);
		const bool last = info[1].As<Napi::Boolean>().Value();
		return handle->Start<VadSegments>(info.Env(), 0, {info[0]},
			[samples, last](VadSession& running, const Cancel& cancel) { return running.Detect(samples, last, cancel); },
			[](Napi::Env settled, VadSegments& found) -> Napi::Value { return ToJs(settled, found); });
	}, "hear"));
	session.Set("close", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		return handle->Close(info.Env());
	}, "close"));
	return session;
}

Napi::Object MakeVoiceActivity(Napi::Env env, std::shared_ptr<VoiceActivity> activity) {
	Napi::Object object = Napi::Object::New(env);
	const auto held = std::make_shared<std::shared_ptr<VoiceActivity>>(std::move(activity));
	object.Set("search", Napi::Function::New(env, [held](const Napi::CallbackInfo& info) -> Napi::Value {
		if (!*held) throw MakeError(info.Env(), {"closed", "it has been closed"});
		return MakeVadSession(info.Env(), (*held)->NewSession());
	}, "search"));
	// Sessions that are open keep what they need.
	object.Set("close", Napi::Function::New(env, [held](const Napi::CallbackInfo&) { held->reset(); }, "close"));
	return object;
}

}  // namespace

Napi::Value LoadVoiceActivity(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	const SpeechRule rule = {options.Float("threshold"), options.Float("minSilenceSeconds"),
		options.Float("minSpeechSeconds"), options.Float("maxSpeechSeconds")};
	using Loaded = std::shared_ptr<VoiceActivity>;
	std::function<Expected<Loaded>()> load;
	if (const Napi::Value detector = options.Value("detector"); detector.IsExternal()) {
		load = [network = *detector.As<Napi::External<Session>>().Data(), rule]() -> Expected<Loaded> {
			return VoiceActivity::Over(network, rule);
		};
	} else {
		const Options sherpa(detector);
		load = [from = SherpaDetectorLoad{sherpa.String("libraryDir"), sherpa.String("path"), sherpa.Bool("ten"),
					sherpa.Int("overlap")},
				   rule] { return VoiceActivity::Load(from, rule); };
	}
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>(std::move(load),
		[](Napi::Env env, Loaded& engine) { return MakeVoiceActivity(env, std::move(engine)); }));
}

}  // namespace earshot
