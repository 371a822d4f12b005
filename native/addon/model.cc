#include "addon/model.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <ggml.h>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "addon/session.h"
#include "core/integers.h"
#include "core/limits.h"
#include "napi/arguments.h"
#include "napi/async_task.h"
#include "napi/functions.h"
#include "whisper/engine.h"

namespace earshot {

namespace {

template <class Engine>
Napi::Object MakeModelOf(
	Napi::Env env, std::shared_ptr<Engine> engine, int slots, std::function<void()> on_close = {}) {
	Napi::Object model = Napi::Object::New(env);
	model.Set("info", ToJs(env, engine->info()));
	const auto handle = std::make_shared<Handle<Engine>>(std::move(engine), slots, FreeOn::kPool);
	const auto run = [handle](Napi::Env env, const Options& given, const std::vector<Napi::Value>& clips) {
		typename Engine::Options options;
		Read(given, options);
		const double clip = given.Id("clip");
		// Read last, since getters of the options may run JavaScript that changes the samples.
		std::vector<std::vector<float>> samples;
		for (const Napi::Value& each : clips) samples.push_back(SamplesOf(each, "samples"));
		return handle->StartClips(env, clip, std::move(samples),
			[options = std::move(options)](
				Engine& running, const std::vector<ClipRequest>& requests, const OnResult& on_result) {
				return running.Transcribe(requests, options, on_result);
			});
	};
	model.Set("transcribe", AsyncFunction(env, "transcribe", [run](const Napi::CallbackInfo& info) -> Napi::Value {
		return run(info.Env(), Options(info[1]), {info[0]}).front();
	}));
	model.Set("transcribeBatch", Function(env, "transcribeBatch", [run](const Napi::CallbackInfo& info) -> Napi::Value {
		const std::vector<Napi::Promise> promises =
			run(info.Env(), Options(info[1]), ElementsOf(info[0], "clips", limits::kMaxClips));
		Napi::Array array = Napi::Array::New(info.Env(), promises.size());
		for (uint32_t i = 0; i < promises.size(); i++) array.Set(i, promises[i]);
		return array;
	}));
	if constexpr (std::is_same_v<Engine, WhisperEngine>) {
		model.Set("encode", AsyncFunction(env, "encode", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
			const Options given(info[1]);
			WhisperOptions options;
			options.threads = given.Int("threads", 1, limits::kMaxThreads);
			options.audio_context = given.Int("audioContext", 0, limits::kMaxContext);
			const double clip = given.Id("clip");
			return handle->template Start<std::vector<float>>(info.Env(), clip,
				[samples = SamplesOf(info[0], "samples"), options](Engine& running, const Cancel& cancel) {
					return running.Encode({samples.data(), samples.size()}, options, cancel);
				},
				[](Napi::Env settled, std::vector<float>& made) -> Napi::Value {
					return TypedCopy<Napi::Float32Array>(settled, made.data(), made.size());
				});
		}));
	}
	model.Set("cancel", Function(env, "cancel", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		std::optional<size_t> position;
		if (!info[1].IsUndefined()) position = static_cast<size_t>(IntOf(info[1], "position", 0, INT32_MAX));
		handle->CancelClip(IdOf(info[0], "clip"), position);
		return info.Env().Undefined();
	}));
	const auto close = [handle, on_close = std::move(on_close)](const Napi::CallbackInfo& info) -> Napi::Value {
		if (on_close) on_close();
		return handle->Close(info.Env());
	};
	model.Set("close", AsyncFunction(env, "close", close));
	return model;
}

/** Takes ownership of the sessions, since an encoder serves one model. Throws before taking any. */
std::vector<Session> TakeEncoders(Napi::Env env, const std::vector<Napi::Value>& values) {
	std::vector<Session*> sessions;
	for (const Napi::Value& value : values) {
		Session* session = SessionIn(value, SessionKind::kEncoder);
		if (session == nullptr) throw Refusal("encoders", "encoders of loadEncoder", value);
		if (!*session || std::find(sessions.begin(), sessions.end(), session) != sessions.end()) {
			throw MakeError(env, {"invalid_argument", "Expected `encoders` to be encoders that no other model has taken"});
		}
		sessions.push_back(session);
	}
	std::vector<Session> taken;
	for (Session* session : sessions) taken.push_back(std::exchange(*session, nullptr));
	return taken;
}

using LoadGgml = Expected<std::shared_ptr<WhisperEngine>> (*)(const WhisperLoad&);

template <LoadGgml Load>
Napi::Value LoadGgmlModel(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	WhisperLoad load;
	load.Read(options);
	load.max_threads = std::min(load.max_threads, GGML_MAX_N_THREADS);
	if (const Napi::Value bits = options.Value("encoderBits"); !bits.IsUndefined()) {
		const int width = IntOf(bits, "encoderBits", 8, 16);
		if (width != 8 && width != 16) throw Refusal("encoderBits", "8 or 16", bits);
		load.integers = width == 8 ? Integers::k8 : Integers::k16;
	}
	if (const Napi::Value encoders = options.Value("encoders"); !encoders.IsUndefined()) {
		load.encoders = TakeEncoders(info.Env(), ElementsOf(encoders, "encoders", limits::kMaxEncoders));
	}
	using Loaded = std::shared_ptr<WhisperEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return Load(load); },
		[slots = load.slots](Napi::Env env, Loaded& engine) {
			// Clips of one batch may arrive as separate calls.
			const int calls = slots * engine->info().max_batched_clips;
			return MakeModelOf(env, std::move(engine), calls);
		}));
}

}  // namespace

Napi::Object MakeModel(
	Napi::Env env, std::shared_ptr<SherpaEngine> engine, int slots, std::function<void()> on_close) {
	return MakeModelOf(env, std::move(engine), slots, std::move(on_close));
}

Napi::Value LoadWhisper(const Napi::CallbackInfo& info) { return LoadGgmlModel<WhisperEngine::Load>(info); }

Napi::Value LoadParakeetModel(const Napi::CallbackInfo& info) { return LoadGgmlModel<LoadParakeet>(info); }

Napi::Value LoadSherpa(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	SherpaLoad load;
	load.library_dir = options.Text("libraryDir");
	const int slots = options.Int("slots", 1, limits::kMaxSlots);
	load.config = ReadConfig(options, "config");
	load.changes_apart = options.Bool("changesApart");
	load.exclusive = options.Bool("exclusive");
	load.punctuation = options.Text("punctuation");
	using Loaded = std::shared_ptr<SherpaEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return SherpaEngine::Load(load); },
		[slots](Napi::Env env, Loaded& engine) { return MakeModel(env, std::move(engine), slots); }));
}

}  // namespace earshot
