// The exports of earshot.node, as binding.d.ts declares them.
#include <algorithm>
#include <atomic>
#include <climits>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ggml-backend.h>
#include <ggml.h>
#include <napi.h>

#include "audio/decoder.h"
#include "core/cancel.h"
#include "core/clip.h"
#include "core/result.h"
#include "kernels/int_matrix.h"
#include "kernels/width.h"
#include "napi/bridge.h"
#include "ort/ort.h"
#include "platform/cpu.h"
#include "platform/platform.h"
#include "sherpa/api.h"
#include "sherpa/engine.h"
#include "vad/vad.h"
#include "whisper/devices.h"
#include "whisper/engine.h"

namespace earshot {

namespace {

using Info = Napi::CallbackInfo;

// ---- results -----------------------------------------------------------------------------------

Napi::Object ToJs(Napi::Env env, const RawResult& raw) {
	Napi::Object result = Napi::Object::New(env);
	result.Set("bytes", TypedCopy<Napi::Uint8Array>(env, reinterpret_cast<const uint8_t*>(raw.bytes.data()), raw.bytes.size()));
	result.Set("tokenEnds", TypedCopy<Napi::Uint32Array>(env, raw.token_ends.data(), raw.token_ends.size()));
	result.Set("tokenIds", TypedCopy<Napi::Int32Array>(env, raw.token_ids.data(), raw.token_ids.size()));
	result.Set("tokenTimes", TypedCopy<Napi::Float32Array>(env, raw.token_times.data(), raw.token_times.size()));
	result.Set("tokenLogprobs", TypedCopy<Napi::Float32Array>(env, raw.token_logprobs.data(), raw.token_logprobs.size()));
	result.Set("segments", TypedCopy<Napi::Float64Array>(
		env, reinterpret_cast<const double*>(raw.segments.data()), raw.segments.size() * RawResult::kSegmentFields));
	result.Set("removedRepetitions", TypedCopy<Napi::Float64Array>(env, raw.cuts.data(), raw.cuts.size()));
	result.Set("failed", raw.failed);
	result.Set("decodedTokens", static_cast<double>(raw.decoded_tokens));
	result.Set("text", raw.text);
	result.Set("language", raw.language);
	result.Set("emotion", raw.emotion);
	result.Set("event", raw.event);
	return result;
}

Napi::Object ToJs(Napi::Env env, const WhisperInfo& info) {
	Napi::Object object = Napi::Object::New(env);
	Napi::Array languages = Napi::Array::New(env, info.languages.size());
	for (uint32_t i = 0; i < info.languages.size(); i++) languages.Set(i, info.languages[i]);
	object.Set("size", info.size);
	object.Set("multilingual", info.multilingual);
	object.Set("alignsWords", info.aligns_words);
	object.Set("languages", languages);
	object.Set("device", info.device);
	object.Set("encoder", info.encoder);
	object.Set("decoder", info.decoder);
	object.Set("weightBytes", static_cast<double>(info.weight_bytes));
	object.Set("clipsTogether", info.clips_together);
	return object;
}

Napi::Object ToJs(Napi::Env env, const SherpaInfo& info) {
	Napi::Object object = Napi::Object::New(env);
	object.Set("version", info.version);
	object.Set("onnxruntime", info.onnxruntime);
	Napi::Array providers = Napi::Array::New(env, info.providers.size());
	for (uint32_t i = 0; i < info.providers.size(); i++) providers.Set(i, info.providers[i]);
	object.Set("providers", providers);
	object.Set("fallback", info.fallback);
	return object;
}

// ---- batches -----------------------------------------------------------------------------------

using Cancels = std::vector<std::shared_ptr<Cancel>>;

/**
 * The clips of a batch on the pool, with a promise for each. One that is done before the last settles at once; the last,
 * and what nothing was told of, when the task has ended: then there is a slot for whoever waits for it.
 */
class ClipsTask final : public AsyncTask {
public:
	using Work = std::function<Expected<Done>(const Tell&)>;

	/** Runs `work` on clips which are `arrays`, and calls `finished` before the last promises settle. */
	static std::vector<Napi::Promise> Start(Napi::Env env, const std::vector<Napi::Value>& arrays, Work work,
		std::function<void(Napi::Env)> finished) {
		auto answers = std::make_shared<Answers>(env, arrays.size());
		std::vector<Napi::Promise> promises;
		for (const Answer& answer : answers->all) promises.push_back(answer.deferred.Promise());
		std::unique_ptr<ClipsTask> task(new ClipsTask(std::move(answers), std::move(work), std::move(finished)));
		for (const Napi::Value& array : arrays) task->keep_.push_back(Napi::Persistent(array));
		AsyncTask::Start(env, std::move(task));
		return promises;
	}

protected:
	void Run() noexcept override {
		ended_ = Guarded("engine_failed", "earshot", [this] {
			return work_([&answers = answers_](size_t clip, Expected<RawResult> result) {
				answers->all[clip].result = std::move(result);
				if (--answers->untold == 0) return;
				answers->mailbox->Post([answers, clip](Napi::Env env) { Settle(env, answers->all[clip]); });
			});
		});
	}
	void Finish(Napi::Env env) override {
		finished_(env);
		const Failure untold = ended_ ? Failure{"engine_failed", "the engine gave no result for the clip"} : ended_.failure();
		for (Answer& answer : answers_->all) {
			if (!answer.result) answer.result = untold;
			Settle(env, answer);
		}
	}
	Napi::Value Settle(Napi::Env env) override { return env.Undefined(); }

private:
	struct Answer {
		Napi::Promise::Deferred deferred;
		/** Written once, on the thread that ran the clip, before anybody is told. */
		std::optional<Expected<RawResult>> result;
		bool settled = false;
	};
	/** Outlives the task while a letter about it is on its way. */
	struct Answers {
		Answers(Napi::Env env, size_t clips) : mailbox(EnvState::Of(env).mailbox), untold(clips) {
			for (size_t i = 0; i < clips; i++) all.push_back({Napi::Promise::Deferred::New(env), std::nullopt});
		}
		const std::shared_ptr<Mailbox> mailbox;
		std::vector<Answer> all;
		std::atomic<size_t> untold;
	};

	ClipsTask(std::shared_ptr<Answers> answers, Work work, std::function<void(Napi::Env)> finished)
		: answers_(std::move(answers)), work_(std::move(work)), finished_(std::move(finished)) {}

	static void Settle(Napi::Env env, Answer& answer) {
		if (std::exchange(answer.settled, true)) return;
		try {
			if (!*answer.result) throw MakeError(env, answer.result->failure());
			answer.deferred.Resolve(ToJs(env, **answer.result));
		} catch (const Napi::Error& error) {
			answer.deferred.Reject(error.Value());
		}
		answer.result.reset();
	}

	const std::shared_ptr<Answers> answers_;
	const Work work_;
	const std::function<void(Napi::Env)> finished_;
	/** The samples. */
	std::vector<Napi::Reference<Napi::Value>> keep_;
	Expected<Done> ended_ = Cancelled();
};

Clip ViewOf(Napi::Value value) {
	auto samples = value.As<Napi::Float32Array>();
	return {samples.Data(), samples.ElementLength()};
}

// ---- what is open ------------------------------------------------------------------------------

/** Giving gigabytes back takes its time, and is done on the pool; what is soon done does without the way there. */
enum class Freed { kOnPool, kAtOnce };

/**
 * A loaded engine as JavaScript holds it: counts what runs, cancels, and frees the engine once nothing runs any
 * more. JavaScript thread only. Shared by the functions of one JavaScript object and by the tasks that run.
 */
template <class Engine>
class Handle : public std::enable_shared_from_this<Handle<Engine>> {
public:
	Handle(std::shared_ptr<Engine> engine, int slots, Freed freed_how)
		: engine_(std::move(engine)), slots_(slots), freed_how_(freed_how) {}

	/**
	 * Runs `work(engine, cancel)` on the pool under the name `clip`. `keep` are the arrays it reads.
	 */
	template <class T>
	Napi::Promise Start(Napi::Env env, double clip, std::vector<Napi::Value> keep,
		std::function<Expected<T>(Engine&, const Cancel&)> work, std::function<Napi::Value(Napi::Env, T&)> convert) {
		Expected<Cancels> cancels = Enter(env, clip, 1);
		if (!cancels) return Rejected(env, cancels.failure());
		auto task = std::make_unique<Task<T>>(
			[engine = engine_, cancel = cancels->front(), work = std::move(work)] { return work(*engine, *cancel); },
			std::move(convert));
		for (const Napi::Value& value : keep) task->keep.push_back(Napi::Persistent(value));
		task->finished = Leaver(clip);
		return AsyncTask::Start(env, std::move(task));
	}

	/** The same for several clips in one slot, each with a promise and a Cancel of its own. */
	std::vector<Napi::Promise> StartClips(Napi::Env env, double batch, const std::vector<Napi::Value>& arrays,
		std::function<Expected<Done>(Engine&, const std::vector<Job>&, const Tell&)> work) {
		std::vector<Napi::Promise> refused;
		if (arrays.empty()) return refused;
		Expected<Cancels> cancels = Enter(env, batch, arrays.size());
		if (!cancels) {
			for (size_t i = 0; i < arrays.size(); i++) refused.push_back(Rejected(env, cancels.failure()));
			return refused;
		}
		std::vector<Job> jobs;
		for (size_t i = 0; i < arrays.size(); i++) jobs.push_back({ViewOf(arrays[i]), (*cancels)[i]});
		return ClipsTask::Start(env, arrays,
			[engine = engine_, jobs = std::move(jobs), work = std::move(work)](const Tell& tell) {
				return work(*engine, jobs, tell);
			},
			Leaver(batch));
	}

	/** Of a batch the clip at `position`, or all. */
	void CancelClip(double clip, std::optional<size_t> position = std::nullopt) {
		const auto found = running_.find(clip);
		if (found == running_.end()) return;
		for (size_t i = 0; i < found->second.size(); i++) {
			if (position.value_or(i) == i) found->second[i]->Request();
		}
	}

	Napi::Promise Close(Napi::Env env) {
		const auto deferred = Napi::Promise::Deferred::New(env);
		closers_.push_back(deferred);
		if (!closed_) {
			closed_ = true;
			for (const auto& [clip, cancels] : running_) CancelClip(clip);
			if (running_.empty()) Free(env);
		} else if (freed_) {
			Closed(env);
		}
		return deferred.Promise();
	}

private:
	/** A slot for something under that name, until Leaver's function is called. */
	Expected<Cancels> Enter(Napi::Env env, double clip, size_t count) {
		if (closed_) return Failure{"closed", "it has been closed"};
		if (static_cast<int>(running_.size()) >= slots_) {
			return Failure{"engine_failed", "all " + std::to_string(slots_) + " slots are taken"};
		}
		if (running_.contains(clip)) return Failure{"engine_failed", "a clip of that number is running already"};
		Cancels cancels;
		for (size_t i = 0; i < count; i++) cancels.push_back(std::make_shared<Cancel>(EnvState::Of(env).exiting));
		running_.emplace(clip, cancels);
		return cancels;
	}

	std::function<void(Napi::Env)> Leaver(double clip) {
		return [self = this->shared_from_this(), clip](Napi::Env env) {
			self->running_.erase(clip);
			if (self->closed_ && self->running_.empty()) self->Free(env);
		};
	}

	void Free(Napi::Env env) {
		if (freed_how_ == Freed::kAtOnce) {
			engine_.reset();
			freed_ = true;
			Closed(env);
			return;
		}
		auto task = std::make_unique<Task<Done>>(
			[engine = std::make_shared<std::shared_ptr<Engine>>(std::move(engine_))]() -> Expected<Done> {
				engine->reset();
				return Done{};
			},
			[](Napi::Env settled_env, Done&) { return settled_env.Undefined(); });
		task->finished = [self = this->shared_from_this()](Napi::Env freed_env) {
			self->freed_ = true;
			self->Closed(freed_env);
		};
		AsyncTask::Start(env, std::move(task));
	}

	void Closed(Napi::Env env) {
		for (const auto& deferred : std::exchange(closers_, {})) deferred.Resolve(env.Undefined());
	}

	std::shared_ptr<Engine> engine_;
	const int slots_;
	const Freed freed_how_;
	std::unordered_map<double, Cancels> running_;
	std::vector<Napi::Promise::Deferred> closers_;
	bool closed_ = false;
	bool freed_ = false;
};

// ---- models ------------------------------------------------------------------------------------

void Read(Napi::Value value, WhisperOptions& into) {
	const Options options(value);
	into.threads = options.Int("threads");
	into.language = options.String("language");
	into.translate = options.Bool("translate");
	into.prompt = options.String("prompt");
	into.temperature = options.Float("temperature");
	into.temperature_increment = options.Float("temperatureIncrement");
	into.token_timestamps = options.Bool("tokenTimestamps");
	into.beam_size = options.Int("beamSize");
	into.audio_context = options.Int("audioContext");
	if (options.Value("audioContexts").IsArray()) into.audio_contexts = options.Ints("audioContexts");
	if (const Napi::Value slot = options.Value("slot"); slot.IsNumber()) into.slot = options.Int("slot");
	into.background = options.Value("background").ToBoolean();
	into.first_try_only = options.Bool("firstTryOnly");
	into.languages = options.Strings("languages");
	into.suppress = options.Ints("suppress");
	into.suppress_non_speech = options.Bool("suppressNonSpeech");
}

SherpaConfig ReadConfig(const Napi::Object& from) {
	SherpaConfig config;
	const Napi::Array names = from.GetPropertyNames();
	for (uint32_t i = 0; i < names.Length(); i++) {
		const std::string name = names.Get(i).As<Napi::String>().Utf8Value();
		const Napi::Value value = from.Get(name);
		if (value.IsNumber()) config[name] = value.As<Napi::Number>().DoubleValue();
		else config[name] = value.As<Napi::String>().Utf8Value();
	}
	return config;
}

void Read(Napi::Value value, HearingOptions& into) {
	const Options options(value);
	into.hotwords = options.String("hotwords");
	const Napi::Object stream = options.Object("stream");
	const Napi::Array names = stream.GetPropertyNames();
	for (uint32_t i = 0; i < names.Length(); i++) {
		const std::string name = names.Get(i).As<Napi::String>().Utf8Value();
		into.stream[name] = stream.Get(name).As<Napi::String>().Utf8Value();
	}
}

void Read(Napi::Value value, SherpaOptions& into) {
	Read(value, static_cast<HearingOptions&>(into));
	into.changes = ReadConfig(Options(value).Object("changes"));
}

template <class Engine>
Napi::Object MakeModel(Napi::Env env, std::shared_ptr<Engine> engine, int slots) {
	Napi::Object model = Napi::Object::New(env);
	model.Set("info", ToJs(env, engine->info()));
	const auto handle = std::make_shared<Handle<Engine>>(std::move(engine), slots, Freed::kOnPool);
	const auto run = [handle](const Info& info, const std::vector<Napi::Value>& arrays) {
		typename Engine::Options options;
		Read(info[1], options);
		return handle->StartClips(info.Env(), Options(info[1]).Number("clip"), arrays,
			[options = std::move(options)](Engine& running, const std::vector<Job>& jobs, const Tell& tell) {
				return running.Transcribe(jobs, options, tell);
			});
	};
	model.Set("transcribe", Napi::Function::New(env, [run](const Info& info) -> Napi::Value {
		return run(info, {info[0]}).front();
	}, "transcribe"));
	model.Set("transcribeBatch", Napi::Function::New(env, [run](const Info& info) -> Napi::Value {
		const auto clips = info[0].As<Napi::Array>();
		std::vector<Napi::Value> arrays;
		for (uint32_t i = 0; i < clips.Length(); i++) arrays.push_back(clips.Get(i));
		const std::vector<Napi::Promise> promises = run(info, arrays);
		Napi::Array array = Napi::Array::New(info.Env(), promises.size());
		for (uint32_t i = 0; i < promises.size(); i++) array.Set(i, promises[i]);
		return array;
	}, "transcribeBatch"));
	if constexpr (std::is_same_v<Engine, WhisperEngine>) {
		model.Set("encode", Napi::Function::New(env, [handle](const Info& info) -> Napi::Value {
			const Clip clip = ViewOf(info[0]);
			const Options given(info[1]);
			WhisperOptions options;
			options.threads = given.Int("threads");
			options.audio_context = given.Int("audioContext");
			return handle->template Start<std::vector<float>>(info.Env(), given.Number("clip"), {info[0]},
				[clip, options](Engine& running, const Cancel& cancel) { return running.Encode(clip, options, cancel); },
				[](Napi::Env settled, std::vector<float>& made) -> Napi::Value {
					return TypedCopy<Napi::Float32Array>(settled, made.data(), made.size());
				});
		}, "encode"));
	}
	model.Set("cancel", Napi::Function::New(env, [handle](const Info& info) {
		std::optional<size_t> position;
		if (info[1].IsNumber()) position = info[1].As<Napi::Number>().Uint32Value();
		handle->CancelClip(info[0].As<Napi::Number>().DoubleValue(), position);
	}, "cancel"));
	model.Set("close", Napi::Function::New(env, [handle](const Info& info) -> Napi::Value {
		return handle->Close(info.Env());
	}, "close"));
	return model;
}

/** What `loadEncoder` and `loadSpeechNetwork` hand out; an encoder is empty once a model has taken it. */
using Session = std::shared_ptr<const ort::Session>;

ort::SessionLoad ReadSession(const Options& options, int threads) {
	const auto graph = options.Value("graph").As<Napi::Uint8Array>();
	return {options.String("library"), {graph.Data(), graph.Data() + graph.ByteLength()}, options.String("folder"), threads};
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

Napi::Value LoadEncoder(const Info& info) {
	const Options options(info[0]);
	ort::SessionLoad load = ReadSession(options, std::max(1, options.Int("threads")));
	load.exact_int8 = options.Value("exactInt8").ToBoolean();
	return LoadSession(info.Env(), std::move(load));
}

Napi::Value LoadSpeechNetwork(const Info& info) { return LoadSession(info.Env(), ReadSession(Options(info[0]), 1)); }

using LoadGgml = Expected<std::shared_ptr<WhisperEngine>> (*)(const WhisperLoad&);

template <LoadGgml Load>
Napi::Value LoadGgmlModel(const Info& info) {
	const Options options(info[0]);
	WhisperLoad load;
	load.path = options.String("path");
	load.slots = std::max(1, options.Int("slots"));
	load.max_threads = std::max(1, options.Int("maxThreads"));
	load.use_gpu = options.Bool("useGpu");
	load.gpu_device = options.Int("gpuDevice");
	load.alignment_heads = options.Ints("alignmentHeads");
	load.quantise_decoder = options.Value("quantiseDecoder").ToBoolean();
	if (const Napi::Value bits = options.Value("encoderBits"); bits.IsNumber()) {
		load.integers = options.Int("encoderBits") == 8 ? Integers::k8 : Integers::k16;
	}
	if (const Napi::Value encoders = options.Value("encoders"); encoders.IsArray()) {
		const auto array = encoders.As<Napi::Array>();
		for (uint32_t i = 0; i < array.Length(); i++) {
			Session taken = std::exchange(*array.Get(i).As<Napi::External<Session>>().Data(), nullptr);
			if (!taken) throw Napi::Error::New(info.Env(), "another model has taken this encoder");
			load.encoders.push_back(std::move(taken));
		}
	}
	using Loaded = std::shared_ptr<WhisperEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return Load(load); },
		[slots = load.slots](Napi::Env env, Loaded& engine) {
			// Those that go together may come one by one.
			const int calls = slots * engine->info().clips_together;
			return MakeModel(env, std::move(engine), calls);
		}));
}

Napi::Value LoadSherpa(const Info& info) {
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

Napi::Object MakeStream(Napi::Env env, std::shared_ptr<SpeechStream> made) {
	Napi::Object stream = Napi::Object::New(env);
	const auto handle = std::make_shared<Handle<SpeechStream>>(std::move(made), 1, Freed::kOnPool);
	stream.Set("feed", Napi::Function::New(env, [handle](const Info& info) -> Napi::Value {
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
	stream.Set("close", Napi::Function::New(env, [handle](const Info& info) -> Napi::Value {
		return handle->Close(info.Env());
	}, "close"));
	return stream;
}

Napi::Value LoadStreaming(const Info& info) {
	const Options options(info[0]);
	StreamingLoad load;
	load.library_dir = options.String("libraryDir");
	load.config = ReadConfig(options.Object("config"));
	load.tail_seconds = options.Number("tailSeconds");
	const int slots = std::max(1, options.Int("slots"));
	using Loaded = std::shared_ptr<StreamingEngine>;
	return AsyncTask::Start(info.Env(), std::make_unique<Task<Loaded>>([load] { return StreamingEngine::Load(load); },
		[slots](Napi::Env env, Loaded& engine) {
			// Streams do without the model once it is closed; it makes no new ones.
			const std::weak_ptr<StreamingEngine> streaming = engine;
			Napi::Object model = MakeModel(env, std::shared_ptr<SherpaEngine>(std::move(engine)), slots);
			model.Set("stream", Napi::Function::New(env, [streaming](const Info& call) -> Napi::Value {
				const auto alive = streaming.lock();
				if (!alive) throw MakeError(call.Env(), {"closed", "it has been closed"});
				HearingOptions hearing;
				Read(call[0], hearing);
				return MakeStream(call.Env(), alive->Stream(hearing));
			}, "stream"));
			return model;
		}));
}

// ---- voice activity ----------------------------------------------------------------------------

Napi::Object ToJs(Napi::Env env, const Heard& heard) {
	Napi::Object object = Napi::Object::New(env);
	object.Set("spans", TypedCopy<Napi::Uint32Array>(env, heard.spans.data(), heard.spans.size()));
	object.Set("open", static_cast<double>(heard.open));
	object.Set("settled", static_cast<double>(heard.settled));
	return object;
}

Napi::Object MakeSearch(Napi::Env env, std::shared_ptr<SpeechSearch> found) {
	Napi::Object search = Napi::Object::New(env);
	const auto handle = std::make_shared<Handle<SpeechSearch>>(std::move(found), 1, Freed::kAtOnce);
	search.Set("hear", Napi::Function::New(env, [handle](const Info& info) -> Napi::Value {
		const Clip samples = ViewOf(info[0]);
		const bool last = info[1].As<Napi::Boolean>().Value();
		return handle->Start<Heard>(info.Env(), 0, {info[0]},
			[samples, last](SpeechSearch& running, const Cancel& cancel) { return running.Hear(samples, last, cancel); },
			[](Napi::Env settled, Heard& heard) -> Napi::Value { return ToJs(settled, heard); });
	}, "hear"));
	search.Set("close", Napi::Function::New(env, [handle](const Info& info) -> Napi::Value {
		return handle->Close(info.Env());
	}, "close"));
	return search;
}

Napi::Object MakeVoiceActivity(Napi::Env env, std::shared_ptr<VoiceActivity> activity) {
	Napi::Object object = Napi::Object::New(env);
	const auto held = std::make_shared<std::shared_ptr<VoiceActivity>>(std::move(activity));
	object.Set("search", Napi::Function::New(env, [held](const Info& info) -> Napi::Value {
		if (!*held) throw MakeError(info.Env(), {"closed", "it has been closed"});
		return MakeSearch(info.Env(), (*held)->Search());
	}, "search"));
	// Searches that are open keep what they need.
	object.Set("close", Napi::Function::New(env, [held](const Info&) { held->reset(); }, "close"));
	return object;
}

Napi::Value LoadVoiceActivity(const Info& info) {
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

// ---- audio -------------------------------------------------------------------------------------

Napi::Object ToJs(Napi::Env env, const AudioInfo& info) {
	Napi::Object object = Napi::Object::New(env);
	object.Set("container", info.container);
	object.Set("codec", info.codec);
	object.Set("sampleRate", info.sample_rate);
	object.Set("channels", info.channels);
	object.Set("declaredSeconds", info.declared_seconds);
	return object;
}

Napi::Value OpenAudio(const Info& info) {
	const Napi::Env env = info.Env();
	AudioSource source;
	// A recording in memory stays there while the reader may read it.
	std::shared_ptr<Napi::Reference<Napi::Value>> bytes;
	if (info[0].IsString()) {
		source.path = info[0].As<Napi::String>().Utf8Value();
	} else {
		const auto array = info[0].As<Napi::Uint8Array>();
		source.bytes = array.Data();
		source.size = array.ByteLength();
		bytes = std::make_shared<Napi::Reference<Napi::Value>>(Napi::Persistent(info[0]));
	}
	const auto handle = std::make_shared<Handle<AudioReader>>(
		AudioReader::Make(std::move(source), Options(info[1]).Number("maxSeconds")), 1, Freed::kAtOnce);
	Napi::Object reader = Napi::Object::New(env);
	const auto keep = [bytes](const Napi::Value& also) {
		std::vector<Napi::Value> values = {also};
		if (bytes) values.push_back(bytes->Value());
		return values;
	};
	reader.Set("open", Napi::Function::New(env, [handle, keep](const Info& call) -> Napi::Value {
		return handle->Start<AudioInfo>(call.Env(), 0, keep(call.This()),
			[](AudioReader& running, const Cancel& cancel) { return running.Open(cancel); },
			[](Napi::Env settled, AudioInfo& opened) -> Napi::Value { return ToJs(settled, opened); });
	}, "open"));
	reader.Set("read", Napi::Function::New(env, [handle, keep](const Info& call) -> Napi::Value {
		auto into = call[0].As<Napi::Float32Array>();
		return handle->Start<ReadAudio>(call.Env(), 0, keep(call[0]),
			[samples = into.Data(), count = into.ElementLength()](AudioReader& running, const Cancel& cancel) {
				return running.Read(samples, count, cancel);
			},
			[](Napi::Env settled, ReadAudio& read) -> Napi::Value {
				Napi::Object result = Napi::Object::New(settled);
				result.Set("count", static_cast<double>(read.count));
				result.Set("skippedPackets", read.skipped_packets);
				return result;
			});
	}, "read"));
	reader.Set("close", Napi::Function::New(env, [handle](const Info& call) -> Napi::Value {
		return handle->Close(call.Env());
	}, "close"));
	return reader;
}

// ---- the machine -------------------------------------------------------------------------------

Napi::Value Devices(const Info& info) {
	const Napi::Env env = info.Env();
	Napi::Array devices = Napi::Array::New(env);
	for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
		ggml_backend_dev_t device = ggml_backend_dev_get(i);
		size_t free_bytes = 0, total_bytes = 0;
		ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
		const char* kind = "accelerator";
		switch (ggml_backend_dev_type(device)) {
			case GGML_BACKEND_DEVICE_TYPE_CPU: kind = "cpu"; break;
			case GGML_BACKEND_DEVICE_TYPE_GPU: kind = "gpu"; break;
			case GGML_BACKEND_DEVICE_TYPE_IGPU: kind = "igpu"; break;
			default: break;
		}
		Napi::Object entry = Napi::Object::New(env);
		entry.Set("name", ggml_backend_dev_name(device));
		entry.Set("description", ggml_backend_dev_description(device));
		entry.Set("kind", kind);
		entry.Set("memoryBytes", static_cast<double>(total_bytes));
		entry.Set("freeBytes", static_cast<double>(free_bytes));
		devices.Set(static_cast<uint32_t>(i), entry);
	}
	return devices;
}

Napi::Value Calculates(const Info& info) {
	const auto index = static_cast<size_t>(info[0].As<Napi::Number>().Int64Value());
	return Napi::Boolean::New(info.Env(), index < ggml_backend_dev_count() && CanCalculate(ggml_backend_dev_get(index)));
}

Napi::Value CpuFeatures(const Info& info) {
	const Napi::Env env = info.Env();
	Napi::Array names = Napi::Array::New(env);
	ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
	if (cpu == nullptr) return names;
	const auto features = reinterpret_cast<ggml_backend_get_features_t>(
		ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), "ggml_backend_get_features"));
	if (features == nullptr) return names;
	for (const ggml_backend_feature* feature = features(ggml_backend_dev_backend_reg(cpu));
		feature != nullptr && feature->name != nullptr; feature++) {
		if (std::strcmp(feature->value, "0") != 0) names.Set(names.Length(), Napi::String::New(env, feature->name));
	}
	return names;
}

Napi::Value ProcessorFlagsOf(const Info& info) {
	Napi::Array names = Napi::Array::New(info.Env());
	for (const std::string& flag : ProcessorFlags()) names.Set(names.Length(), Napi::String::New(info.Env(), flag));
	return names;
}

Napi::Value Versions(const Info& info) {
	const AudioVersions audio = GetAudioVersions();
	Napi::Object versions = Napi::Object::New(info.Env());
	versions.Set("whisper", WhisperVersion());
	versions.Set("ggml", ggml_version());
	versions.Set("avformat", audio.avformat);
	versions.Set("avcodec", audio.avcodec);
	versions.Set("swresample", audio.swresample);
	versions.Set("ffmpegLicense", audio.license);
	versions.Set("sherpaExpected", sherpa::kSherpaVersion);
	return versions;
}

Napi::Value SherpaVersion(const Info& info) {
	const Napi::Env env = info.Env();
	const Expected<SherpaInfo> version = ReadSherpaVersion(info[0].As<Napi::String>().Utf8Value());
	if (!version) throw MakeError(env, version.failure());
	Napi::Object object = ToJs(env, *version);
	object.Set("gitSha", version->git_sha);
	return object;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
	InitEnv(env);
	InitAudio();
	const auto set = [&](const char* name, auto function) { exports.Set(name, Napi::Function::New(env, function, name)); };
	set("openAudio", OpenAudio);
	set("loadVoiceActivity", LoadVoiceActivity);
	set("loadSpeechNetwork", LoadSpeechNetwork);
	set("loadEncoder", LoadEncoder);
	set("loadWhisper", LoadGgmlModel<WhisperEngine::Load>);
	set("loadParakeet", LoadGgmlModel<LoadParakeet>);
	set("loadSherpa", LoadSherpa);
	set("loadStreaming", LoadStreaming);
	set("devices", Devices);
	set("calculates", Calculates);
	set("trimHeap", [](const Info&) { TrimHeap(); });
	set("cpuFeatures", CpuFeatures);
	set("processorFlags", ProcessorFlagsOf);
	set("kernels", [](const Info& info) -> Napi::Value {
		return Napi::String::New(info.Env(), kKernelNames[static_cast<size_t>(WidestKernels())]);
	});
	set("integerEncoders", [](const Info& info) -> Napi::Value { return Napi::Boolean::New(info.Env(), HasIntegers()); });
	set("versions", Versions);
	set("sherpaVersion", SherpaVersion);
	set("setLogSink", [](const Info& info) { SetLogSink(info.Env(), info[0]); });
	exports.Set("SEGMENT_FIELDS", static_cast<double>(RawResult::kSegmentFields));
	return exports;
}

NODE_API_MODULE(earshot, Init)

}  // namespace

}  // namespace earshot
