// Streams that transcribe while speech goes on.
#include <memory>
#include <utility>

#include <napi.h>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "addon/limits.h"
#include "addon/model.h"
#include "napi/arguments.h"
#include "napi/async_task.h"
#include "napi/errors.h"
#include "napi/functions.h"
#include "sherpa/engine.h"

namespace earshot {

namespace {

using Feeding = OneWay<SpeechStream>;

Napi::Object MakeStream(Napi::Env env, std::shared_ptr<SpeechStream> made) {
	Napi::Object stream = Napi::Object::New(env);
	const auto handle = std::make_shared<Handle<Feeding>>(OneWayOf(std::move(made)), 1, FreeOn::kPool);
	stream.Set("feed", AsyncFunction(env, "feed", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		const bool last = BoolOf(info[1], "last");
		return handle->Start<PartialResult>(info.Env(), 0,
			[samples = SamplesOf(info[0], "samples"), last](Feeding& running, const Cancel& cancel) {
				return running.Call(last, [&](SpeechStream& feeding) {
					return feeding.Feed({samples.data(), samples.size()}, last, cancel);
				});
			},
			[](Napi::Env settled, PartialResult& partial) -> Napi::Value {
				Napi::Object object = Napi::Object::New(settled);
				object.Set("result", ToJs(settled, partial.result));
				object.Set("endpoint", partial.endpoint);
				return object;
			});
	}));
	stream.Set("close", AsyncFunction(env, "close", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		return handle->Close(info.Env());
	}));
	return stream;
}

}  // namespace

Napi::Value LoadStreaming(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	StreamingLoad load;
	load.library_dir = options.Text("libraryDir");
	load.config = ReadConfig(options, "config");
	load.tail_seconds = options.Number("tailSeconds", 0, limits::kMostTailSeconds);
	const int slots = options.Int("slots", 1, limits::kMostSlots);
	using Loaded = std::shared_ptr<StreamingEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return StreamingEngine::Load(load); },
		[slots](Napi::Env env, Loaded& engine) {
			// Streams do without the model once it is closed; it makes no new ones.
			const std::weak_ptr<StreamingEngine> streaming = engine;
			Napi::Object model = MakeModel(env, std::shared_ptr<SherpaEngine>(std::move(engine)), slots);
			model.Set("stream", Function(env, "stream", [streaming](const Napi::CallbackInfo& call) -> Napi::Value {
				StreamOptions options;
				Read(Options(call[0]), options);
				const auto alive = streaming.lock();
				if (!alive) throw MakeError(call.Env(), {"closed", "it has been closed"});
				return MakeStream(call.Env(), alive->Stream(options));
			}));
			return model;
		}));
}

}  // namespace earshot
