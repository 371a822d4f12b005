// whisper.cpp's own Parakeet (TDT): one read-only context, one state per slot. Compiled together with the unmodified
// upstream file, since only from here the abort callback of a state's backend can be set.
#ifndef PARAKEET_VERSION
#define PARAKEET_VERSION WHISPER_VERSION  // both come from one release
#endif
#include <parakeet.cpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/log.h"
#include "whisper/engine.h"
#include "whisper/model/model_file.h"

namespace earshot {

namespace {

/** Shorter clips are padded with silence: normalisation divides by the number of frames minus one. */
constexpr size_t kMinParakeetSamples = kSampleRate / 2;
constexpr float kMaxAmplitude = 1e4F;

void LogParakeet(ggml_log_level level, const char* text, void*) {
	std::string line(text);
	while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
	if (line.empty()) return;
	Log(level == GGML_LOG_LEVEL_ERROR ? LogLevel::kError : level == GGML_LOG_LEVEL_WARN ? LogLevel::kWarn : LogLevel::kDebug,
		std::move(line));
}

struct FreeContext {
	void operator()(parakeet_context* context) const { parakeet_free(context); }
};
struct FreeState {
	void operator()(parakeet_state* state) const { parakeet_free_state(state); }
};
using State = std::unique_ptr<parakeet_state, FreeState>;

struct TokenLog {
	const Cancel& cancel;
	std::vector<float> logprobs;
	static bool Abort(void* data) { return static_cast<TokenLog*>(data)->cancel.Requested(); }
	/** log softmax over tokens and blank: upstream's probability includes the durations and overflows on large logits. */
	static void Token(parakeet_context* context, parakeet_state* state, const parakeet_token_data* token, void* data) {
		const auto count = static_cast<size_t>(context->vocab.token_blank) + 1;
		const float greatest = *std::max_element(state->logits.begin(), state->logits.begin() + static_cast<int64_t>(count));
		double sum = 0;
		for (size_t i = 0; i < count; i++) sum += std::exp(static_cast<double>(state->logits[i] - greatest));
		const double own = state->logits[static_cast<size_t>(token->id)] - greatest;
		static_cast<TokenLog*>(data)->logprobs.push_back(static_cast<float>(own - std::log(sum)));
	}
};

class Parakeet final : public WhisperEngine {
public:
	Parakeet(std::unique_ptr<parakeet_context, FreeContext> context, const WhisperLoad& load)
		: context_(std::move(context)), max_threads_(load.max_threads) {
		info_.size = "parakeet";
		info_.aligns_words = true;
		info_.device = "CPU";
		for (ggml_backend_buffer_t buffer : context_->model.buffers) {
			info_.weight_bytes += ggml_backend_buffer_get_size(buffer);
			ggml_backend_dev_t device = ggml_backend_buft_get_device(ggml_backend_buffer_get_type(buffer));
			if (device != nullptr) info_.device = ggml_backend_dev_name(device);
		}
	}
	~Parakeet() override { states_.clear(); }

	bool AddState() {
		states_.emplace_back(parakeet_init_state(context_.get()));
		return states_.back() != nullptr;
	}

	const WhisperInfo& info() const override { return info_; }

	Expected<std::vector<float>> Encode(const Clip&, const Options&, const Cancel&) override {
		return Failure{"engine_failed", "parakeet.cpp does not expose its encoder's output"};
	}

	Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) override {
		State state;
		{
			const std::lock_guard lock(mutex_);
			if (states_.empty()) return Failure{"engine_failed", "every slot is taken"};
			state = std::move(states_.back());
			states_.pop_back();
		}
		for (size_t i = 0; i < requests.size(); i++) {
			on_result(i, Guarded("engine_failed", "parakeet.cpp", [&]() -> Expected<RawResult> {
				if (!state) state.reset(parakeet_init_state(context_.get()));
				if (!state) return Failure{"out_of_memory", "parakeet.cpp could not create a state"};
				return RunClip(state, requests[i].clip, options, *requests[i].cancel);
			}));
		}
		const std::lock_guard lock(mutex_);
		states_.push_back(std::move(state));
		return Done{};
	}

private:
	Expected<RawResult> RunClip(State& state, const Clip& given, const Options& options, const Cancel& cancel) {
		if (cancel.Requested()) return Cancelled();
		RawResult result;
		if (given.size == 0) return result;
		if (given.size > INT32_MAX / 2) return Failure{"engine_failed", "the clip is too long for parakeet.cpp"};
		std::vector<float> samples(std::max(given.size, kMinParakeetSamples), 0.0F);
		std::transform(given.samples, given.samples + given.size, samples.begin(),
			[](float sample) { return std::isfinite(sample) ? std::clamp(sample, -kMaxAmplitude, kMaxAmplitude) : 0.0F; });

		TokenLog log{cancel, {}};
		parakeet_full_params params = parakeet_full_default_params(PARAKEET_SAMPLING_GREEDY);
		params.n_threads = std::clamp(options.threads, 1, max_threads_);
		params.no_context = true;  // the state may have transcribed another request before
		params.abort_callback = TokenLog::Abort;
		params.abort_callback_user_data = &log;
		params.new_token_callback = TokenLog::Token;
		params.new_token_callback_user_data = &log;
		ggml_backend_t cpu = state->backends.back();
		if (ggml_backend_is_cpu(cpu)) ggml_backend_cpu_set_abort_callback(cpu, TokenLog::Abort, &log);
		int code = 0;
		try {
			code = parakeet_full_with_state(
				context_.get(), state.get(), params, samples.data(), static_cast<int>(samples.size()));
		} catch (...) {
			state.reset();  // its contents are undefined
			throw;
		}
		if (ggml_backend_is_cpu(cpu)) ggml_backend_cpu_set_abort_callback(cpu, nullptr, nullptr);
		if (cancel.Requested()) return Cancelled();
		if (code != 0) return Failure{"engine_failed", "parakeet.cpp failed with " + std::to_string(code)};
		Collect(*state, given.Seconds(), log, result);
		return result;
	}

	/** Computes times anew: upstream mixes encoder frames with frames of the spectrogram. */
	void Collect(const parakeet_state& state, double end_of_clip, const TokenLog& log, RawResult& result) {
		const double frame = 0.01 * context_->model.hparams.subsampling_factor;
		double at = 0, first = 0, sum = 0;
		const size_t count = std::min(state.decoded_token_data.size(), log.logprobs.size());
		for (size_t i = 0; i < count; i++) {
			const parakeet_token_data& token = state.decoded_token_data[i];
			const double start = std::clamp(token.frame_index * frame, at, std::max(at, end_of_clip));
			const double end =
				std::clamp((token.frame_index + token.duration_value) * frame, start, std::max(start, end_of_clip));
			at = start;
			if (i == 0) first = start;
			result.AddToken(Text(token.id), token.id, static_cast<float>(start), static_cast<float>(end), log.logprobs[i]);
			sum += log.logprobs[i];
		}
		if (count == 0) return;
		result.AddSegment(std::min(first, end_of_clip), std::min<double>(result.token_times.back(), end_of_clip),
			sum / static_cast<double>(count), kUnknown, 0);
	}

	std::string Text(int id) const {
		const auto found = context_->vocab.id_to_token.find(id);
		return found == context_->vocab.id_to_token.end() ? "" : sentencepiece_piece_to_text(found->second, false);
	}

	// Declared before the states, which refer to it.
	std::unique_ptr<parakeet_context, FreeContext> context_;
	const int max_threads_;
	WhisperInfo info_;
	std::mutex mutex_;
	std::vector<State> states_;  // free states; guarded by mutex_
};

}  // namespace

Expected<std::shared_ptr<WhisperEngine>> LoadParakeet(const WhisperLoad& load) {
	static std::once_flag once;
	std::call_once(once, [] { parakeet_log_set(LogParakeet, nullptr); });
	if (Expected<Done> checked = CheckParakeetFile(load.path); !checked) return checked.failure();
	return Guarded("model_load_failed", "parakeet.cpp", [&]() -> Expected<std::shared_ptr<WhisperEngine>> {
		parakeet_context_params params = parakeet_context_default_params();
		params.use_gpu = load.use_gpu;
		params.gpu_device = load.gpu_device;
		auto file = ModelFile::Open(load.path);
		if (!file) return file.failure();
		auto loader = file->For<parakeet_model_loader>();
		std::unique_ptr<parakeet_context, FreeContext> context(
			parakeet_init_with_params_no_state(&loader, params));
		if (!context) return Failure{"model_load_failed", "parakeet.cpp refused " + load.path};
		auto engine = std::make_shared<Parakeet>(std::move(context), load);
		for (int slot = 0; slot < load.slots; slot++) {
			if (!engine->AddState()) {
				return Failure{"model_load_failed", "parakeet.cpp could not create a state for each slot"};
			}
		}
		return std::shared_ptr<WhisperEngine>(engine);
	});
}

}  // namespace earshot
