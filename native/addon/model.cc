#include "addon/model.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "addon/session.h"
#include "core/integers.h"
#include "napi/async_task.h"
#include "napi/options.h"
#include "whisper/engine.h"

namespace earshot {

namespace {

template <class Engine>
Napi::Object MakeModelOf(Napi::Env env, std::shared_ptr<Engine> engine, int slots) {
	Napi::Object model = Napi::Object::New(env);
	model.Set("info", ToJs(env, engine->info()));
	const auto handle = std::make_shared<Handle<Engine>>(std::move(engine), slots, FreeOn::kPool);
	const auto run = [handle](const Napi::CallbackInfo& info, const std::vector<Napi::Value>& arrays) {
		typename Engine::Options options;
		Read(info[1], options);
		return handle->StartClips(info.Env(), Options(info[1]).Number("clip"), arrays,
			[options = std::move(options)](
				Engine& running, const std::vector<ClipRequest>& requests, const OnResult& on_result) {
				return running.Transcribe(requests, options, on_result);
			});
	};
	model.Set("transcribe", Napi::Function::New(env, [run](const Napi::CallbackInfo& info) -> Napi::Value {
		return run(info, {info[0]}).front();
	}, "transcribe"));
	model.Set("transcribeBatch", Napi::Function::New(env, [run](const Napi::CallbackInfo& info) -> Napi::Value {
		const auto clips = info[0].As<Napi::Array>();
		std::vector<Napi::Value> arrays;
		for (uint32_t i = 0; i < clips.Length(); i++) arrays.push_back(clips.Get(i));
		const std::vector<Napi::Promise> promises = run(info, arrays);
		Napi::Array array = Napi::Array::New(info.Env(), promises.size());
		for (uint32_t i = 0; i < promises.size(); i++) array.Set(i, promises[i]);
		return array;
	}, "transcribeBatch"));
	if constexpr (std::is_same_v<Engine, WhisperEngine>) {
		model.Set("encode", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) -> Napi::Value {
			const Clip clip = ViewOf(info[0]);
			const Options given(info[1]);
			WhisperOptions options;
			Read(info[1], options);
			return handle->template Start<std::vector<float>>(info.Env(), given.Number("clip"), {info[0]},
				[clip, options](Engine& running, const Cancel& cancel) { return running.Encode(clip, options, cancel); },
				[](Napi::Env settled, std::vector<float>& made) -> Napi::Value {
					return TypedCopy<Napi::Float32Array>(settled, made.data(), made.size());
				});
		}, "encode"));
	}
	model.Set("cancel", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) {
		std::optional<size_t> position;
		if (info[1].IsNumber()) position = info[1].As<Napi::Number>().Uint32Value();
		handle->CancelClip(info[0].As<Napi::Number>().DoubleValue(), position);
	}, "cancel"));
	model.Set("close", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		return handle->Close(info.Env());
	}, "close"));
	return model;
}

using LoadGgml = Expected<std::shared_ptr<WhisperEngine>> (*)(const WhisperLoad&);

template <LoadGgml Load>
Napi::Value LoadGgmlModel(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	WhisperLoad load;
	ReadFields(info[0], kWhisperLoadFields, load);
	load.slots = std::max(1, load.slots);
	load.max_threads = std::max(1, load.max_threads);
	if (const Napi::Value bits = options.Value("encoderBits"); bits.IsNumber()) {
		load.integers = options.Int("encoderBits") == 8 ? Integers::k8 : Integers::k16;
	}
	if (const Napi::Value encoders = options.Value("encoders"); encoders.IsArray()) {
		const auto array = encoders.As<Napi::Array>();
		for (uint32_t i = 0; i < array.Length(); i++) {
			Session taken = std::exchange(*array.Get(i).As<Napi::External<Session>>().Data(), nullptr);
			if (!taken) throw Napi::Error::New(info.Env(), "this encoder belongs to another model");
			load.encoders.push_back(std::move(taken));
		}
	}
	using Loaded = std::shared_ptr<WhisperEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return Load(load); },
		[slots = load.slots](Napi::Env env, Loaded& engine) {
			// Clips that are batched may arrive one by one.
			const int calls = slots * engine->info().max_batched_clips;
			return MakeModelOf(env, std::move(engine), calls);
		}));
}

}  // namespace

Napi::Object MakeModel(Napi::Env env, std::shared_ptr<SherpaEngine> engine, int slots) {
	return MakeModelOf(env, std::move(engine), slots);
}

Napi::Value LoadWhisper(const Napi::CallbackInfo& info) { return LoadGgmlModel<WhisperEngine::Load>(info); }

Napi::Value LoadParakeetModel(const Napi::CallbackInfo& info) { return LoadGgmlModel<LoadParakeet>(info); }

Napi::Value LoadSherpa(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	SherpaLoad load;
	load.library_dir = options.String("libraryDir");
	const int slots = std::max(1, options.Int("slots"));
	load.config = ReadConfig(options.Object("config"));
	load.changes_apart = options.Bool("changesApart");
	load.exclusive = options.Bool("exclusive");
	load.punctuation = options.String("punctuation");
	using Loaded = std::shared_ptr<SherpaEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return SherpaEngine::Load(load); },
		[slots](Napi::Env env, Loaded& engine) { return MakeModel(env, std::move(engine), slots); }));
}

}  // namespace earshot
