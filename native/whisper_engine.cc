// whisper.cpp: one read-only context, one state for each lane.
#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine.h"
#include "whisper_internals.h"

namespace earshot {

namespace {

/** whisper.cpp drops what is shorter than 0.1 s, reads past the end of less than 201 samples and hears badly
 * below a second: shorter clips get silence behind them. */
constexpr size_t kLeastSamples = kSampleRate;
constexpr int kLeastMilliseconds = 200;
constexpr int kMostDecoders = 8;  // WHISPER_MAX_DECODERS
/** Candidates at temperatures above 0. Each costs a key-value cache for as long as the state lives. */
constexpr int kBestOf = 2;

void LogLine(ggml_log_level level, const char* text, void*) {
	std::string line(text);
	while (!line.empty() && line.back() == '\n') line.pop_back();
	if (line.empty()) return;
	switch (level) {
		case GGML_LOG_LEVEL_ERROR: return Log(LogLevel::kError, std::move(line));
		case GGML_LOG_LEVEL_WARN: return Log(LogLevel::kWarn, std::move(line));
		case GGML_LOG_LEVEL_INFO: return Log(LogLevel::kInfo, std::move(line));
		default: return Log(LogLevel::kDebug, std::move(line));
	}
}

struct ContextFree {
	void operator()(whisper_context* context) const { whisper_free(context); }
};
struct StateFree {
	void operator()(whisper_state* state) const { whisper_free_state(state); }
};
struct PoolFree {
	void operator()(ggml_threadpool* pool) const { ggml_threadpool_free(pool); }
};

/** Order matters: the state goes before the pool that its backend may point to. */
struct Lane {
	std::unique_ptr<ggml_threadpool, PoolFree> pool;
	std::unique_ptr<whisper_state, StateFree> state;
};

/** What the callbacks of one run share. All on the thread that runs the clip. */
struct Run {
	struct Extra {
		double logprob, temperature;
	};

	const Cancel& cancel;
	const WhisperOptions& options;
	int failed_before = 0;
	std::vector<Extra> extras;

	static bool Abort(void* data) { return static_cast<Run*>(data)->cancel.Requested(); }

	static bool WindowBegins(whisper_context*, whisper_state* state, void* data) {
		auto& run = *static_cast<Run*>(data);
		run.failed_before = internals::FailedDecodes(state);
		return !run.cancel.Requested();
	}

	static void SegmentMade(whisper_context*, whisper_state* state, int count, void* data) {
		auto& run = *static_cast<Run*>(data);
		const int total = whisper_full_n_segments_from_state(state);
		// Each failed decode of the window is one step up the ladder.
		const int steps = internals::FailedDecodes(state) - run.failed_before;
		const double temperature = run.options.temperature + steps * run.options.temperature_increment;
		for (int i = total - count; i < total; i++) run.extras.push_back({internals::DecodeLogprob(state, i), temperature});
	}
};

class Whisper final : public WhisperEngine {
public:
	Whisper(std::unique_ptr<whisper_context, ContextFree> context, const WhisperLoad& load)
		: context_(std::move(context)), max_threads_(load.max_threads) {
		info_.size = whisper_model_type_readable(context_.get());
		const int languages = internals::LanguageCount(context_.get());
		info_.multilingual = languages > 0;
		for (int id = 0; id < languages; id++) {
			if (const char* code = whisper_lang_str(id)) info_.languages.emplace_back(code);
		}
		if (!info_.multilingual) info_.languages.emplace_back("en");
		info_.weight_bytes = internals::WeightBytes(context_.get());
		info_.device = internals::WeightDevice(context_.get());
	}

	~Whisper() override { lanes_.clear(); }

	Expected<Done> AddLane() {
		Lane lane;
		lane.state.reset(whisper_init_state(context_.get()));
		if (!lane.state) return Failure{"model_load_failed", "whisper.cpp could not make a state for each lane"};
		lanes_.push_back(std::move(lane));
		return Done{};
	}

	const WhisperInfo& info() const override { return info_; }

	Expected<std::vector<RawResult>> Transcribe(
		const std::vector<Clip>& clips, const Options& options, const Cancel& cancel) override {
		Lane lane;
		{
			const std::lock_guard lock(mutex_);
			if (lanes_.empty()) return Failure{"engine_failed", "every lane is taken"};
			lane = std::move(lanes_.back());
			lanes_.pop_back();
		}
		// whisper.cpp decodes one clip at a time.
		Expected<std::vector<RawResult>> results = Guarded("engine_failed", "whisper.cpp",
			[&]() -> Expected<std::vector<RawResult>> {
				std::vector<RawResult> made;
				for (const Clip& clip : clips) {
					Expected<RawResult> result = RunClip(lane, clip, options, cancel);
					if (!result) return result.failure();
					made.push_back(std::move(*result));
				}
				return made;
			});
		if (lane.state) {
			internals::SetAbort(lane.state.get(), nullptr, nullptr);
			// Puts the pool's threads to sleep: they spin while they belong to a backend.
			internals::SetThreadPool(lane.state.get(), nullptr);
		}
		const std::lock_guard lock(mutex_);
		lanes_.push_back(std::move(lane));
		return results;
	}

private:
	Expected<Done> Prepare(Lane& lane, int threads) {
		if (!lane.state) {
			lane.state.reset(whisper_init_state(context_.get()));
			if (!lane.state) return Failure{"out_of_memory", "whisper.cpp could not make a state"};
		}
		// One thread needs no pool, and a pool's idle threads would wake for every graph.
		if (threads > 1 && !lane.pool) {
			ggml_threadpool_params params = ggml_threadpool_params_default(max_threads_);
			lane.pool.reset(ggml_threadpool_new(&params));
			if (!lane.pool) return Failure{"out_of_memory", "no thread pool could be made"};
		}
		internals::SetThreadPool(lane.state.get(), threads > 1 ? lane.pool.get() : nullptr);
		internals::Reseed(lane.state.get());
		return Done{};
	}

	Expected<RawResult> RunClip(Lane& lane, const Clip& clip, const Options& options, const Cancel& cancel) {
		if (cancel.Requested()) return Cancelled();
		RawResult result;
		if (clip.size == 0) return result;
		if (clip.size > INT32_MAX / 2) return Failure{"engine_failed", "the clip is too long for whisper.cpp"};
		const int threads = std::clamp(options.threads, 1, max_threads_);
		const bool detect = options.language.empty() && info_.multilingual;
		if (!options.language.empty() && !Knows(options.language)) {
			// whisper.cpp would go on with a wrong token.
			return Failure{"engine_failed", "the model does not know language '" + options.language + "'"};
		}
		if (Expected<Done> ready = Prepare(lane, threads); !ready) return ready.failure();
		whisper_state* state = lane.state.get();

		std::vector<float> padded;
		const float* samples = clip.samples;
		size_t size = clip.size;
		int end_ms = 0;
		if (size < kLeastSamples) {
			padded.assign(kLeastSamples, 0.0F);
			std::copy_n(clip.samples, clip.size, padded.begin());
			samples = padded.data();
			size = padded.size();
			// The end stays where it was: what the model says of the silence is not wanted.
			end_ms = std::max(kLeastMilliseconds, static_cast<int>(std::ceil(clip.Seconds() * 1000)));
		}

		Run run{cancel, options, 0, {}};
		const bool beams = options.beam_size > 1;
		whisper_full_params params =
			whisper_full_default_params(beams ? WHISPER_SAMPLING_BEAM_SEARCH : WHISPER_SAMPLING_GREEDY);
		params.n_threads = threads;
		params.duration_ms = end_ms;
		params.translate = options.translate;
		params.no_context = true;  // what a state heard before belongs to somebody else
		params.print_progress = params.print_realtime = params.print_timestamps = params.print_special = false;
		params.token_timestamps = options.token_timestamps;
		params.language = detect ? nullptr : options.language.empty() ? "en" : options.language.c_str();
		params.initial_prompt = options.prompt.empty() ? nullptr : options.prompt.c_str();
		params.temperature = options.temperature;
		params.temperature_inc = options.temperature_increment;
		params.greedy.best_of = kBestOf;
		params.beam_search.beam_size = std::clamp(options.beam_size, 1, kMostDecoders);
		params.abort_callback = Run::Abort;
		params.abort_callback_user_data = &run;
		params.encoder_begin_callback = Run::WindowBegins;
		params.encoder_begin_callback_user_data = &run;
		params.new_segment_callback = Run::SegmentMade;
		params.new_segment_callback_user_data = &run;
		internals::SetAbort(state, Run::Abort, &run);

		int code = 0;
		try {
			const internals::Watch watch(state, whisper_token_sot(context_.get()), detect);
			code = whisper_full_with_state(context_.get(), state, params, samples, static_cast<int>(size));
		} catch (...) {
			// Nobody knows what it left half done.
			lane.state.reset();
			throw;
		}
		// This code alone says that whisper.cpp has freed the state itself.
		if (code == -7) (void)lane.state.release();
		if (cancel.Requested()) return Cancelled();
		if (code == -7) return Failure{"out_of_memory", "whisper.cpp found no memory for its key-value cache"};
		if (code != 0) return Failure{"engine_failed", "whisper.cpp failed with " + std::to_string(code)};
		Collect(state, run, clip, options, result);
		return result;
	}

	void Collect(whisper_state* state, const Run& run, const Clip& clip, const Options& options, RawResult& result) {
		const int first_special = whisper_token_eot(context_.get());
		const double end_of_clip = clip.Seconds();
		const auto inside = [&](int64_t centiseconds, double from) {
			return std::clamp(static_cast<double>(centiseconds) / 100, std::min(from, end_of_clip), end_of_clip);
		};
		if (const char* code = whisper_lang_str(whisper_full_lang_id_from_state(state))) {
			result.language = info_.multilingual ? code : "en";
		}
		double at = 0;
		const int segments = whisper_full_n_segments_from_state(state);
		for (int i = 0; i < segments; i++) {
			const double start = inside(whisper_full_get_segment_t0_from_state(state, i), at);
			const double end = inside(whisper_full_get_segment_t1_from_state(state, i), start);
			double token_at = start;
			const int tokens = whisper_full_n_tokens_from_state(state, i);
			for (int k = 0; k < tokens; k++) {
				const whisper_token_data token = whisper_full_get_token_data_from_state(state, i, k);
				if (token.id >= first_special) continue;
				float from = kUnknown, to = kUnknown;
				if (options.token_timestamps && token.t0 >= 0 && token.t1 >= 0) {
					from = static_cast<float>(token_at = std::min(inside(token.t0, token_at), end));
					to = static_cast<float>(token_at = std::min(inside(token.t1, token_at), end));
				}
				result.AddToken(internals::TokenBytes(context_.get(), token.id), token.id, from, to, token.plog);
			}
			const auto known = static_cast<size_t>(i) < run.extras.size();
			result.AddSegment(start, end, known ? run.extras[static_cast<size_t>(i)].logprob : kUnknown,
				whisper_full_get_segment_no_speech_prob_from_state(state, i),
				known ? run.extras[static_cast<size_t>(i)].temperature : kUnknown);
			at = end;
		}
	}

	bool Knows(const std::string& language) const {
		return std::find(info_.languages.begin(), info_.languages.end(), language) != info_.languages.end();
	}

	// The states refer to the context, so they are declared after it.
	std::unique_ptr<whisper_context, ContextFree> context_;
	const int max_threads_;
	WhisperInfo info_;
	std::mutex mutex_;
	std::vector<Lane> lanes_;  // free ones; guarded by mutex_
};

}  // namespace

Expected<std::shared_ptr<WhisperEngine>> WhisperEngine::Load(const WhisperLoad& load) {
	static std::once_flag once;
	std::call_once(once, [] {
		ggml_log_set(LogLine, nullptr);
		whisper_log_set(LogLine, nullptr);
	});
	if (Expected<Done> checked = CheckWhisperFile(load.path); !checked) return checked.failure();
	return Guarded("model_load_failed", "whisper.cpp", [&]() -> Expected<std::shared_ptr<WhisperEngine>> {
		whisper_context_params params = whisper_context_default_params();
		params.use_gpu = load.use_gpu;
		params.gpu_device = load.gpu_device;
		params.flash_attn = true;
		std::unique_ptr<whisper_context, ContextFree> context(
			whisper_init_from_file_with_params_no_state(load.path.c_str(), params));
		if (!context) return Failure{"model_load_failed", "whisper.cpp refused " + load.path};
		auto engine = std::make_shared<Whisper>(std::move(context), load);
		for (int lane = 0; lane < load.lanes; lane++) {
			if (Expected<Done> added = engine->AddLane(); !added) return added.failure();
		}
		return std::shared_ptr<WhisperEngine>(engine);
	});
}

std::string WhisperVersion() { return whisper_version(); }

}  // namespace earshot
