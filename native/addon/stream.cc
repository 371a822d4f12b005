// Live streams and the models that open them.
#include <algorithm>
#include <memory>
#include <utility>

#include <napi.h>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "addon/model.h"
#include "napi/async_task.h"
#include "napi/errors.h"
#include "napi/options.h"
#include "sherpa/engine.h"

namespace earshot {

namespace {

Napi::Object MakeStream(Napi::Env env, std::shared_ptr<SpeechStream> made) {
	Napi::Object stream = Napi::Object::New(env);
	const auto handle = std::make_shared<Handle<SpeechStream>>(std::move(made), 1, FreeOn::kPool);
	stream.Set("feed", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		const Clip samples = ViewOf(info[0]);
		const bool last = info[1].As<Napi::Boolean>().Value();
		return handle->Start<PartialResult>(info.Env(), 0, {info[0]},
			[samples, last](SpeechStream& running, const Cancel& cancel) { return running.Feed(samples, last, cancel); },
			[](Napi::Env settled, PartialResult& partial) -> Napi::Value {
				Napi::Object object = Napi::Object::New(settled);
				object.Set("result", ToJs(settled, partial.result));
				object.Set("endpoint", partial.endpoint);
				return object;
			});
	}, "feed"));
	stream.Set("close", Napi::Function::New(env, [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		return handle->Close(info.Env());
	}, "close"));
	return stream;
}

}  // namespace

Napi::Value LoadStreaming(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	StreamingLoad load;
	load.library_dir = options.String("libraryDir");
	load.config = ReadConfig(options.Object("config"));
	load.tail_seconds = options.Number("tailSeconds");
	const int slots = std::max(1, options.Int("slots"));
	using Loaded = std::shared_ptr<StreamingEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return StreamingEngine::Load(load); },
		[slots](Napi::Env env, Loaded& engine) {
			// A closed model opens no new streams; open ones keep their own reference to the engine.
			const std::weak_ptr<StreamingEngine> streaming = engine;
			Napi::Object model = MakeModel(env, std::shared_ptr<SherpaEngine>(std::move(engine)), slots);
			model.Set("stream", Napi::Function::New(env, [streaming](const Napi::CallbackInfo& call) -> Napi::Value {
				const auto alive = streaming.lock();
				if (!alive) throw MakeError(call.Env(), {"closed", "it has been closed"});
				StreamOptions options;
				Read(call[0], options);
				return MakeStream(call.Env(), alive->Stream(options));
			}, "stream"));
			return model;
		}));
}

}  // namespace earshot
