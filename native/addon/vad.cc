// Voice activity detection.
#include <functional>
#include <memory>
#include <utility>

#include <napi.h>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "addon/session.h"
#include "core/limits.h"
#include "napi/arguments.h"
#include "napi/async_task.h"
#include "napi/errors.h"
#include "napi/functions.h"
#include "vad/vad.h"

namespace earshot {

namespace {

using Detecting = OneWay<VadSession>;

Napi::Object MakeVadSession(Napi::Env env, std::shared_ptr<VadSession> opened) {
	Napi::Object session = Napi::Object::New(env);
	const auto handle = std::make_shared<Handle<Detecting>>(OneWayOf(std::move(opened)), 1, FreeOn::kCallingThread);
	session.Set("push", AsyncFunction(env, "push", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		const bool last = BoolOf(info[1], "last");
		return handle->Start<VadSegments>(info.Env(), 0,
			[samples = SamplesOf(info[0], "samples"), last](Detecting& running, const Cancel& cancel) {
				return running.Call(last, [&](VadSession& session) {
					return session.Push({samples.data(), samples.size()}, last, cancel);
				});
			},
			[](Napi::Env settled, VadSegments& found) -> Napi::Value { return ToJs(settled, found); });
	}));
	session.Set("close", AsyncFunction(env, "close", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		return handle->Close(info.Env());
	}));
	return session;
}

Napi::Object MakeVoiceActivity(Napi::Env env, std::shared_ptr<VoiceActivity> activity) {
	Napi::Object object = Napi::Object::New(env);
	const auto held = std::make_shared<std::shared_ptr<VoiceActivity>>(std::move(activity));
	object.Set("openSession", Function(env, "openSession", [held](const Napi::CallbackInfo& info) -> Napi::Value {
		if (!*held) throw MakeError(info.Env(), {"closed", "it has been closed"});
		return MakeVadSession(info.Env(), (*held)->NewSession());
	}));
	// Open sessions keep their own references.
	object.Set("close", Function(env, "close", [held](const Napi::CallbackInfo& info) -> Napi::Value {
		held->reset();
		return info.Env().Undefined();
	}));
	return object;
}

}  // namespace

Napi::Value LoadVoiceActivity(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	const VadOptions rules = {options.Float("threshold", 0, 1),
		options.Float("minSilenceSeconds", 0, limits::kMaxSpanSeconds),
		options.Float("minSpeechSeconds", 0, limits::kMaxSpanSeconds),
		options.Float("maxSpeechSeconds", 0, limits::kMaxSpanSeconds)};
	using Loaded = std::shared_ptr<VoiceActivity>;
	std::function<Expected<Loaded>()> load;
	const Napi::Value detector = options.Value("detector");
	if (const Session* network = SessionIn(detector, SessionKind::kSpeechNetwork); network != nullptr) {
		load = [network = *network, rules]() -> Expected<Loaded> { return VoiceActivity::FromSession(network, rules); };
	} else {
		const Options sherpa(detector, "detector");
		load = [from = SherpaDetectorLoad{sherpa.Text("libraryDir"), sherpa.Text("path"), sherpa.Bool("ten"),
					sherpa.Int("overlap", 0, limits::kMaxOverlap)},
				   rules] { return VoiceActivity::Load(from, rules); };
	}
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>(std::move(load),
		[](Napi::Env env, Loaded& engine) { return MakeVoiceActivity(env, std::move(engine)); }));
}

}  // namespace earshot
