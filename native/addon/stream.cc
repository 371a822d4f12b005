// Exports of streaming recognition.
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <napi.h>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "addon/model.h"
#include "core/limits.h"
#include "napi/arguments.h"
#include "napi/async_task.h"
#include "napi/callbacks.h"
#include "napi/env.h"
#include "napi/errors.h"
#include "napi/functions.h"
#include "sherpa/engine.h"

namespace earshot {

namespace {

/**
 * Results computed by threads of the pool. They are delivered to JavaScript by callbacks, or at the latest when the
 * task that computed them ends, since callbacks alone do not keep the event loop alive. Any thread except where noted.
 */
class Answers : public std::enable_shared_from_this<Answers> {
public:
	using Answer = std::function<void(Napi::Env)>;

	explicit Answers(std::shared_ptr<CallbackQueue> callbacks) : callbacks_(std::move(callbacks)) {}

	void Post(Answer answer) {
		{
			const std::lock_guard lock(mutex_);
			found_.push_back(std::move(answer));
		}
		callbacks_->Post([self = shared_from_this()](Napi::Env env) { self->Give(env); });
	}

	/** JavaScript thread only. */
	void Give(Napi::Env env) {
		std::vector<Answer> found;
		{
			const std::lock_guard lock(mutex_);
			found.swap(found_);
		}
		for (const Answer& answer : found) answer(env);
	}

private:
	const std::shared_ptr<CallbackQueue> callbacks_;
	std::mutex mutex_;
	std::vector<Answer> found_;  // guarded by mutex_
};

using Speaking = OneWay<SpeechStream>;

Napi::Object ToJs(Napi::Env env, const PartialResult& partial) {
	Napi::Object object = Napi::Object::New(env);
	Napi::Array ended = Napi::Array::New(env, partial.ended.size());
	for (uint32_t i = 0; i < partial.ended.size(); i++) ended.Set(i, ToJs(env, partial.ended[i]));
	object.Set("ended", ended);
	object.Set("result", ToJs(env, partial.result));
	object.Set("endpoint", partial.endpoint);
	return object;
}

void Settle(Napi::Env env, const Napi::Promise::Deferred& deferred, const Expected<PartialResult>& partial) {
	try {
		if (!partial) throw MakeError(env, partial.failure());
		deferred.Resolve(ToJs(env, *partial));
	} catch (const Napi::Error& error) {
		deferred.Reject(error.Value());
	}
}

/** Starts a task that decodes for all streams of the model that have audio. */
void StartDecoding(Napi::Env env, std::shared_ptr<SpeechStream> stream, std::shared_ptr<Answers> answers) {
	auto task = std::make_unique<Task<Done>>(
		[stream = std::move(stream)]() -> Expected<Done> {
			stream->DecodeAll();
			return Done{};
		},
		[](Napi::Env settled, Done&) { return settled.Undefined(); });
	task->finished = [answers = std::move(answers)](Napi::Env settled) { answers->Give(settled); };
	AsyncTask::Start(env, std::move(task));
}

Napi::Promise Feed(Napi::Env env, Handle<Speaking>& handle, const std::shared_ptr<Answers>& answers,
	StreamPiece piece) {
	const auto deferred = Napi::Promise::Deferred::New(env);
	const auto begun = handle.Begin(env, 0);
	if (!begun) return Rejected(env, begun.failure());
	if (begun->engine->ended) {
		begun->leave(env);
		return Rejected(env, {"closed", "it has ended"});
	}
	SpeechStream& stream = *begun->engine->engine;
	const bool last = piece.last;
	const bool more = stream.Feed(std::move(piece), begun->cancel,
		[deferred, last, speaking = begun->engine, leave = begun->leave, answers](Expected<PartialResult> partial) {
			// std::function must be copyable, and results are not.
			const auto result = std::make_shared<const Expected<PartialResult>>(std::move(partial));
			answers->Post([deferred, last, speaking, leave, result](Napi::Env settled) {
				const Napi::HandleScope scope(settled);
				speaking->ended = last || !*result;
				leave(settled);
				Settle(settled, deferred, *result);
			});
		});
	if (more) StartDecoding(env, begun->engine->engine, answers);
	return deferred.Promise();
}

Napi::Object MakeStream(Napi::Env env, std::shared_ptr<SpeechStream> made, std::shared_ptr<Answers> answers) {
	Napi::Object stream = Napi::Object::New(env);
	const auto handle = std::make_shared<Handle<Speaking>>(OneWayOf(std::move(made)), 1, FreeOn::kPool);
	stream.Set("feed", AsyncFunction(env, "feed",
		[handle, answers = std::move(answers)](const Napi::CallbackInfo& info) -> Napi::Value {
			StreamPiece piece;
			piece.last = BoolOf(info[1], "last");
			if (!info[2].IsUndefined()) {
				piece.silent_seconds = NumberOf(info[2], "silentSeconds", 0, limits::kMaxSeconds);
			}
			piece.samples = SamplesOf(info[0], "samples");
			return Feed(info.Env(), *handle, answers, std::move(piece));
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
	load.tail_seconds = options.Number("tailSeconds", 0, limits::kMaxTailSeconds);
	const int slots = options.Int("slots", 1, limits::kMaxSlots);
	load.batch = static_cast<size_t>(options.Int("batch", 1, static_cast<int>(limits::kMaxClips)));
	load.threads = static_cast<size_t>(slots);
	using Loaded = std::shared_ptr<StreamingEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return StreamingEngine::Load(load); },
		[slots](Napi::Env env, Loaded& engine) {
			// Emptied when the model closes, so that no more streams are opened even while others still hold the engine:
			// streams do not need the model, and pool threads release it when they finish. JavaScript thread only.
			const auto open = std::make_shared<Loaded>(engine);
			Napi::Object model = MakeModel(
				env, std::shared_ptr<SherpaEngine>(std::move(engine)), slots, [open] { open->reset(); });
			const auto answers = std::make_shared<Answers>(EnvState::Of(env).callbacks);
			model.Set("stream", Function(env, "stream", [open, answers](const Napi::CallbackInfo& call) -> Napi::Value {
				StreamOptions options;
				Read(Options(call[0]), options);
				if (!*open) throw MakeError(call.Env(), {"closed", "it has been closed"});
				return MakeStream(call.Env(), (*open)->Stream(options), answers);
			}));
			return model;
		}));
}

}  // namespace earshot
