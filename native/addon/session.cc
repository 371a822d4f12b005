#include "addon/session.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <napi.h>

#include "addon/exports.h"
#include "addon/limits.h"
#include "napi/arguments.h"
#include "napi/async_task.h"

namespace earshot {

namespace {

/** Random, once for all: objects of other addons have others. */
constexpr napi_type_tag kTags[] = {{0x5d0c7c1e4bb14fd6, 0x9ba0c8a1f3ed2c47}, {0x2f64ae39c5a84d08, 0xb1d26f7705e9a3d1}};

/** Freed by Node-API's finalizer. */
Napi::Value MakeSession(Napi::Env env, Session session, SessionKind kind) {
	Napi::Object object = Napi::Object::New(env);
	auto held = std::make_unique<Session>(std::move(session));
	napi_status status = napi_wrap(env, object, held.get(),
		[](napi_env, void* data, void*) { const std::unique_ptr<Session> owned(static_cast<Session*>(data)); }, nullptr, nullptr);
	if (status != napi_ok) throw Napi::Error::New(env);
	(void)held.release();
	status = napi_type_tag_object(env, object, &kTags[static_cast<size_t>(kind)]);
	if (status != napi_ok) throw Napi::Error::New(env);
	return object;
}

ort::SessionLoad ReadSession(const Options& options, int threads) {
	const Napi::Value graph = options.Value("graph");
	std::string library = options.Text("library"), folder = options.Text("folder");
	return {std::move(library), BytesOf(graph, "graph"), std::move(folder), threads};
}

Napi::Promise LoadSession(Napi::Env env, ort::SessionLoad load, SessionKind kind) {
	return AsyncTask::Start(env,
		std::make_unique<Task<Session>>([load = std::move(load)] { return ort::Session::Load(load); },
			[kind](Napi::Env settled, Session& session) { return MakeSession(settled, std::move(session), kind); }));
}

}  // namespace

Session* SessionIn(Napi::Value value, SessionKind kind) {
	if (value.Type() != napi_object) return nullptr;
	bool is_ours = false;
	if (napi_check_object_type_tag(value.Env(), value, &kTags[static_cast<size_t>(kind)], &is_ours) != napi_ok || !is_ours) {
		return nullptr;
	}
	void* held = nullptr;
	return napi_unwrap(value.Env(), value, &held) == napi_ok ? static_cast<Session*>(held) : nullptr;
}

Napi::Value LoadEncoder(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	ort::SessionLoad load = ReadSession(options, options.Int("threads", 1, limits::kMostThreads));
	load.exact_int8 = options.Switch("exactInt8");
	return LoadSession(info.Env(), std::move(load), SessionKind::kEncoder);
}

Napi::Value LoadSpeechNetwork(const Napi::CallbackInfo& info) {
	return LoadSession(info.Env(), ReadSession(Options(info[0]), 1), SessionKind::kSpeechNetwork);
}

}  // namespace earshot
