// whisper.cpp: one read-only context, one state for each slot.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/log.h"
#include "kernels/f16_matrix.h"
#include "ort/ort.h"
#include "platform/platform.h"
#include "whisper/engine.h"
#include "whisper/internals.h"
#include "whisper/model_file.h"

namespace earshot {

namespace {

/** whisper.cpp drops what is shorter than 0.1 s, reads past the end of less than 201 samples and recognizes badly
 * below a second: shorter clips get silence behind them. */
constexpr size_t kLeastSamples = kSampleRate;
constexpr int kLeastMilliseconds = 200;
constexpr int kMostDecoders = 8;  // WHISPER_MAX_DECODERS
/** Candidates at temperatures above 0. Each costs a key-value cache for as long as the state lives. */
constexpr int kBestOf = 2;
/** OpenAI's step of the temperature. */
constexpr float kUsualStep = 0.2F;
/** A timestamp is believed between two words from this probability on: whisper.cpp's thold_pt. */
constexpr float kLikely = 0.01F;
/** Beyond this a sample is no sound: it would overflow in the power spectrum. */
constexpr float kLoudest = 1e4F;
/** With more clips in a batch, each waits longer for the others than one shared reading of the weights saves. */
constexpr int kMostBatched = 4;
/** For the caches of clips that are decoded in one batch. */
constexpr uint64_t kBatchBytes = uint64_t{128} << 20;
/** Segments of one text in a row, said of a sound that is not there. */
constexpr int kSilentRepeats = 3;

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

/** What one clip at a time runs on. Order matters: the state goes before the pools that its backend may point to. */
struct StateSlot {
	/** Of as many threads as a clip may have, and of the one that it runs on. */
	std::unique_ptr<ggml_threadpool, PoolFree> pool, pool_of_one;
	/** Made when it is first needed. */
	std::unique_ptr<whisper_state, StateFree> state;
};

/** Longer prompts cannot matter: whisper.cpp takes the last 223 tokens. Its tokeniser is a regular expression that
 * recurses for every letter of a word and would run out of stack. */
constexpr size_t kPromptBytes = 4096;

/** The end of the text, from the beginning of a character. */
std::string TailOf(const std::string& text, size_t bytes) {
	if (text.size() <= bytes) return text;
	size_t from = text.size() - bytes;
	while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) from++;
	return text.substr(from);
}

/** The clip itself, or in `copy` as much of it as whisper.cpp can bear, with silence behind it. */
Clip Bounded(const Clip& given, std::vector<float>& copy) {
	const bool sound = std::all_of(given.samples, given.samples + given.size,
		[](float sample) { return std::abs(sample) <= kLoudest; });
	if (sound && given.size >= kLeastSamples) return given;
	copy.assign(std::max(given.size, kLeastSamples), 0.0F);
	std::transform(given.samples, given.samples + given.size, copy.begin(),
		[](float sample) { return std::isfinite(sample) ? std::clamp(sample, -kLoudest, kLoudest) : 0.0F; });
	return {copy.data(), copy.size()};
}

/** How long text takes to say, in letters. */
double LengthOf(std::string_view text) {
	double length = 0;
	for (const char letter : text) {
		const auto byte = static_cast<unsigned char>(letter);
		if ((byte & 0xC0) == 0x80 || byte == ' ') continue;
		if (byte >= '0' && byte <= '9') length += 3;
		else if (byte == '.' || byte == '!' || byte == '?' || byte == ',') length += 0.5;
		else length += 1;
	}
	return std::max(length, 0.1);
}

/** log softmax at `id`, of numbers that are log-probabilities divided by a temperature. */
double Unscaled(const std::vector<float>& logprobs, int id, double temperature) {
	double sum = 0;
	const double greatest = *std::max_element(logprobs.begin(), logprobs.end());
	for (const float logprob : logprobs) {
		if (std::isfinite(logprob)) sum += std::exp((logprob - greatest) * temperature);
	}
	return (logprobs[static_cast<size_t>(id)] - greatest) * temperature - std::log(sum);
}

/** What the callbacks of one run share. All on the thread that runs the clip, but for Filter. */
struct DecodeRun {
	/** What OpenAI's Whisper says of the decode that a segment came from. */
	struct Decode {
		double seek, logprob, temperature;
	};
	/** One decoder's part in the present try. */
	struct Attempt {
		size_t sampled = 0;
		double sum = 0;
		bool loops = false;
	};

	whisper_context* const context;
	internals::DecodeHooks& hooks;
	const Cancel& cancel;
	const WhisperOptions& options;
	const std::vector<internals::Head>& heads;
	const Sound& sound;
	const Clip& clip;
	const int threads;
	std::string language;  // set before anything is decoded

	int failed_before = 0;
	std::array<Attempt, kMostDecoders> attempts{};
	bool window_known = false;
	Decode window{};
	std::vector<Decode> decodes;                // of each segment
	std::vector<std::vector<TokenSpan>> times;  // of each segment's tokens; empty unless asked for

	int Steps() const { return internals::FailedDecodes(hooks.state_) - failed_before; }
	double Temperature() const {
		// Each failed decode of the window is one step up the ladder.
		return static_cast<double>(options.temperature) + Steps() * static_cast<double>(options.temperature_increment);
	}

	/** The decode that comes next would be the second try. */
	bool GaveUp() const { return options.first_try_only && Steps() > 0; }

	static bool Abort(void* data) {
		const auto& run = *static_cast<DecodeRun*>(data);
		return run.cancel.Requested() || run.GaveUp();
	}

	static bool WindowBegins(whisper_context*, whisper_state* state, void* data) {
		auto& run = *static_cast<DecodeRun*>(data);
		run.Align();
		run.failed_before = internals::FailedDecodes(state);
		run.window_known = false;
		return !run.cancel.Requested();
	}

	/** Before each token, on a thread for each decoder: keeps account, and ends what goes round in circles. */
	static void Filter(whisper_context*, whisper_state* state, const whisper_token_data* tokens, int count, float* logits,
		void* data) {
		auto& run = *static_cast<DecodeRun*>(data);
		for (const int token : run.options.suppress) logits[token] = -INFINITY;
		if (count == 0) {
			run.attempts = {};
			return;
		}
		const int decoder = internals::DecoderOf(state, tokens);
		if (decoder < 0 || decoder >= kMostDecoders) return;
		Attempt& present = run.attempts[static_cast<size_t>(decoder)];
		present.sampled = static_cast<size_t>(count);
		const double temperature = run.Temperature();
		if (temperature > 0) {
			present.sum += Unscaled(internals::LastLogprobs(state, decoder), tokens[count - 1].id, temperature);
		}
		const int begin = whisper_token_beg(run.context);
		std::vector<int32_t> text;
		for (int i = count - 1; i >= 0 && tokens[i].id < begin; i--) text.push_back(tokens[i].id);
		// Backwards is as good: a cycle is one either way.
		std::reverse(text.begin(), text.end());
		if (EndsInLoop(text.data(), text.size())) {
			present.loops = true;
			internals::FailDecoder(state, decoder);
		}
	}

	static void SegmentMade(whisper_context*, whisper_state* state, int count, void* data) {
		auto& run = *static_cast<DecodeRun*>(data);
		const int total = whisper_full_n_segments_from_state(state);
		for (int i = total - count; i < total; i++) {
			if (!run.window_known) run.ReadWindow(i);
			run.decodes.push_back(run.window);
		}
	}

	/** From the first segment of a window, while its decoder still holds the tokens. */
	void ReadWindow(int segment) {
		whisper_state* state = hooks.state_;
		window_known = true;
		window.temperature = Temperature();
		window.logprob = kUnknown;
		const auto [decoder, position] = internals::OriginOf(state, segment);
		if (decoder < 0 || decoder >= kMostDecoders) return;

		// openai/whisper decoding.py: over all sampled tokens and the end of text, by the unscaled logits.
		const Attempt& made = attempts[static_cast<size_t>(decoder)];
		const auto& tokens = internals::TokensOf(state, decoder);
		// The segment's start is the window's and the timestamp before its text, which may not be its own.
		const int stamp = std::max(tokens[position > 0 ? position - 1 : 0].id, whisper_token_beg(context));
		const int64_t begins = whisper_full_get_segment_t0_from_state(state, segment);
		window.seek = std::max(0.0, static_cast<double>(begins - 2 * (stamp - whisper_token_beg(context))) / 100);
		const int end = whisper_token_eot(context);
		const size_t most = static_cast<size_t>(whisper_model_n_text_ctx(context) / 2 - 4);
		const size_t sampled = made.loops ? made.sampled : made.sampled + 1;
		const bool truncated = tokens.size() < sampled;
		const bool ended = !made.loops && sampled < most && (truncated || tokens.back().id == end);
		double sum = internals::SumOfLogprobs(state, decoder);
		if (window.temperature > 0 && options.beam_size <= 1) {
			sum = made.sum;
			const int last = truncated ? end : tokens.back().id;
			if (!made.loops) sum += Unscaled(internals::LastLogprobs(state, decoder), last, window.temperature);
		}
		window.logprob = sum / static_cast<double>(ended ? sampled : sampled + 1);
	}

	/** Gives times to the tokens of the segments that have none yet: those of one window. */
	void Align() {
		if (!options.token_timestamps || cancel.Requested()) return;
		whisper_state* state = hooks.state_;
		const auto first = static_cast<int>(times.size());
		const int total = whisper_full_n_segments_from_state(state);
		if (first >= total || static_cast<size_t>(total) > decodes.size()) return;
		const int special = whisper_token_eot(context);
		std::vector<whisper_token> text;
		for (int i = first; i < total; i++) {
			const int count = whisper_full_n_tokens_from_state(state, i);
			times.emplace_back(static_cast<size_t>(count), TokenSpan{0, 0});
			for (int k = 0; k < count; k++) {
				const int id = whisper_full_get_token_id_from_state(state, i, k);
				if (id < special) text.push_back(id);
			}
		}
		const std::vector<TokenSpan> aligned = Attend(text, decodes[static_cast<size_t>(first)].seek);
		size_t at = 0;
		for (int i = first; i < total; i++) {
			if (aligned.empty()) {
				Spread(i);
				continue;
			}
			auto& spans = times[static_cast<size_t>(i)];
			for (size_t k = 0; k < spans.size(); k++) {
				if (whisper_full_get_token_id_from_state(state, i, static_cast<int>(k)) >= special) continue;
				spans[k] = sound.Trim(aligned[at++]);
			}
		}
	}

	/** By cross-attention, from the clip's start; empty where nothing is known of the heads. */
	std::vector<TokenSpan> Attend(const std::vector<whisper_token>& text, double seek) {
		if (heads.empty() || text.empty()) return {};
		std::vector<whisper_token> tokens{whisper_token_sot(context)};
		if (whisper_is_multilingual(context)) {
			tokens.push_back(whisper_token_lang(context, whisper_lang_id(language.c_str())));
			tokens.push_back(options.translate ? whisper_token_translate(context) : whisper_token_transcribe(context));
		}
		const size_t first_row = tokens.size();
		tokens.push_back(whisper_token_not(context));
		tokens.insert(tokens.end(), text.begin(), text.end());
		tokens.push_back(whisper_token_eot(context));
		if (tokens.size() > static_cast<size_t>(whisper_model_n_text_ctx(context))) return {};
		const double seconds = std::clamp(clip.Seconds() - seek, 0.02, 30.0);
		const auto frames = static_cast<size_t>(std::ceil(seconds * 50));
		std::vector<TokenSpan> spans = AlignByAttention(
			internals::AttendTo(context, hooks, tokens, heads, frames, threads), first_row, text.size());
		for (TokenSpan& span : spans) span = {span.start + seek, span.end + seek};
		return spans;
	}

	/** By the sound between the segment's ends, and by the timestamps that the model would have said between words. */
	void Spread(int segment) {
		whisper_state* state = hooks.state_;
		const int special = whisper_token_eot(context);
		const int begin = whisper_token_beg(context);
		const double limit = clip.Seconds();
		const auto seconds = [&](int64_t centiseconds) {
			return std::clamp(static_cast<double>(centiseconds) / 100, 0.0, limit);
		};
		const double end = seconds(whisper_full_get_segment_t1_from_state(state, segment));
		double start = std::min(end, seconds(whisper_full_get_segment_t0_from_state(state, segment)));
		const double seek = decodes[static_cast<size_t>(segment)].seek;
		auto& spans = times[static_cast<size_t>(segment)];

		std::vector<TokenShape> shapes;
		std::vector<size_t> members;
		const auto flush = [&](double until) {
			const std::vector<TokenSpan> laid = sound.Spread(shapes, start, until);
			for (size_t k = 0; k < members.size(); k++) spans[members[k]] = laid[k];
			shapes.clear();
			members.clear();
			start = until;
		};
		for (size_t k = 0; k < spans.size(); k++) {
			const whisper_token_data token = whisper_full_get_token_data_from_state(state, segment, static_cast<int>(k));
			if (token.id >= special) continue;
			const std::string_view text = internals::TokenBytes(context, token.id);
			const bool begins = !text.empty() && text.front() == ' ';
			const double at = seek + 0.02 * (token.tid - begin);
			const bool likely = token.pt > kLikely && token.ptsum > kLikely && token.tid > begin;
			if (begins && !members.empty() && likely && at > start && at < end && sound.Any(start, at) &&
				sound.Any(at, end)) {
				flush(at);
			}
			shapes.push_back({LengthOf(text), begins});
			members.push_back(k);
		}
		if (!members.empty()) flush(end);
	}
};

class Whisper final : public WhisperEngine {
public:
	Whisper(std::unique_ptr<whisper_context, ContextFree> context, const WhisperLoad& load,
		std::shared_ptr<const IntEncoder> integers)
		: context_(std::move(context)), filters_(internals::FiltersOf(context_.get())), encoders_(load.encoders),
		  integers_(std::move(integers)), max_threads_(load.max_threads) {
		info_.size = whisper_model_type_readable(context_.get());
		const int languages = internals::LanguageCount(context_.get());
		info_.multilingual = languages > 0;
		for (int id = 0; id < languages; id++) {
			if (const char* code = whisper_lang_str(id)) info_.languages.emplace_back(code);
		}
		if (!info_.multilingual) info_.languages.emplace_back("en");
		info_.weight_bytes = internals::WeightBytes(context_.get());
		info_.device = internals::WeightDevice(context_.get());
		if (load.quantise_decoder && info_.device == "CPU") {
			info_.weight_bytes -= internals::QuantiseDecoder(context_.get(), integers_ == nullptr);
		}
		if (info_.device == "CPU") matrices_ = internals::Interleave(context_.get(), integers_ == nullptr);
		if (matrices_) {
			info_.weight_bytes += matrices_->bytes() - internals::ReleaseInterleaved(context_.get(), *matrices_);
		}
		if (integers_) info_.weight_bytes += integers_->bytes();
		if (integers_ || !encoders_.empty()) {
			info_.weight_bytes -= internals::ReleaseEncoderWeights(context_.get(), integers_ != nullptr);
		}
		internals::SpeedUpDecoder(context_.get(), matrices_.get());
		info_.decoder = internals::DecoderType(context_.get());
		info_.clips_together = BatchSize();
		if (integers_) info_.encoder = integers_->integers() == Integers::k16 ? "int16" : "int8";
		else info_.encoder = encoders_.empty() ? "ggml" : "onnxruntime " + encoders_.front()->runtime().version();
		for (size_t i = 0; i + 1 < load.alignment_heads.size(); i += 2) {
			heads_.push_back({load.alignment_heads[i], load.alignment_heads[i + 1]});
		}
		if (heads_.empty()) heads_ = internals::AlignmentHeads(context_.get());
		info_.aligns_words = !heads_.empty();
	}

	/** What of the options this model cannot have. */
	std::string Fault() const {
		for (const internals::Head& head : heads_) {
			if (head.layer < 0 || head.layer >= whisper_model_n_text_layer(context_.get()) || head.head < 0 ||
				head.head >= whisper_model_n_text_head(context_.get())) {
				return "it has no head " + std::to_string(head.head) + " in layer " + std::to_string(head.layer);
			}
		}
		return "";
	}

	~Whisper() override { state_slots_.clear(); }

	/** A state for each slot, and room for as many more as a slot decodes at once. */
	Expected<Done> MakeStateSlots(int count) {
		for (int slot = 0; slot < count; slot++) {
			StateSlot state_slot;
			if (Expected<Done> made = MakeState(state_slot); !made) return made;
			state_slots_.push_back(std::move(state_slot));
		}
		if (!internals::OnProcessor(state_slots_.front().state.get())) info_.clips_together = 1;
		state_slots_to_make_ = count * (info_.clips_together - 1);
		batchers_ = std::vector<DecodeBatcher>(static_cast<size_t>(count));
		return Done{};
	}

	const WhisperInfo& info() const override { return info_; }

	Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) override {
		if (!options.audio_contexts.empty() && options.audio_contexts.size() != requests.size()) {
			return Failure{"engine_failed", "a batch has as many audio contexts as clips"};
		}
		if (options.slot < 0 || static_cast<size_t>(options.slot) >= batchers_.size()) {
			return Failure{"engine_failed", "there is no slot " + std::to_string(options.slot)};
		}
		return InBackground(options, [&] {
			return CanBatch(options) ? TranscribeBatch(requests, options, on_result) : TranscribeEach(requests, options, on_result);
		});
	}

	Expected<std::vector<float>> Encode(const Clip& clip, const Options& options, const Cancel& cancel) override {
		return WithState<std::vector<float>>([&](StateSlot& state_slot) -> Expected<std::vector<float>> {
			const int threads = std::clamp(options.threads, 1, max_threads_);
			if (Expected<Done> ready = Prepare(state_slot, threads); !ready) return ready.failure();
			whisper_state* state = state_slot.state.get();
			internals::DecodeHooks hooks(context_.get(), state, matrices_.get(), threads, cancel);
			internals::SetAbort(state, [](void* data) { return static_cast<const Cancel*>(data)->Requested(); },
				const_cast<Cancel*>(&cancel));
			internals::SetAudioContext(state, options.audio_context);
			std::vector<float> copy, made;
			const Clip padded = Bounded(clip, copy);
			internals::SetMel(state, filters_.Spectrogram(padded.samples, padded.size), padded.size);
			made = internals::Encoded(context_.get(), hooks);
			if (cancel.Requested()) return Cancelled();
			if (hooks.failure_) return *hooks.failure_;
			if (made.empty()) return Failure{"engine_failed", "whisper.cpp could not encode the clip"};
			return made;
		});
	}

private:
	template <class T, class Work>
	Expected<T> WithState(Work work) {
		StateSlot state_slot;
		{
			const std::lock_guard lock(mutex_);
			if (!state_slots_.empty()) {
				state_slot = std::move(state_slots_.back());
				state_slots_.pop_back();
			} else if (state_slots_to_make_ > 0) {
				state_slots_to_make_--;
			} else {
				return Failure{"engine_failed", "every slot is taken"};
			}
		}
		Expected<T> result = Guarded("engine_failed", "whisper.cpp", [&]() -> Expected<T> { return work(state_slot); });
		ReleaseThreads(state_slot);
		const std::lock_guard lock(mutex_);
		state_slots_.push_back(std::move(state_slot));
		return result;
	}

	/** The state is free again before the result is reported: the next request may take it. */
	void TranscribeClip(const std::vector<ClipRequest>& requests, size_t at, const Options& options,
		const OnResult& on_result, DecodeBatcher* batcher) {
		on_result(at, WithState<RawResult>([&](StateSlot& state_slot) {
			return RunClip(state_slot, requests[at], Of(options, at), batcher);
		}));
	}

	Expected<Done> TranscribeEach(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) {
		for (size_t i = 0; i < requests.size(); i++) TranscribeClip(requests, i, options, on_result, nullptr);
		return Done{};
	}

	/** Whether clips may run on threads made for them: not where a pool of further threads is made and kept; and the
	 * tokeniser of prompts wants the large stack of the thread that asks. */
	static bool OnOwnThreads(const Options& options) { return options.threads == 1 && options.prompt.empty(); }

	/** A thread cannot be brought back to what it was, so there is one for the clip alone. */
	static Expected<Done> InBackground(const Options& options, const std::function<Expected<Done>()>& work) {
		if (!options.background || !OnOwnThreads(options)) return work();
		Expected<Done> done = Failure{"engine_failed", "the clip was not transcribed"};
		std::thread([&] {
			GoInBackground();
			done = Guarded("engine_failed", "whisper.cpp", work);
		}).join();
		return done;
	}

	static void ReleaseThreads(StateSlot& state_slot) {
		if (!state_slot.state) return;
		internals::SetAbort(state_slot.state.get(), nullptr, nullptr);
		// Puts the pool's threads to sleep: they spin while they belong to a backend.
		internals::SetThreadPool(state_slot.state.get(), nullptr);
	}

	/** The options of one clip of a batch. */
	static Options Of(const Options& options, size_t clip) {
		Options own = options;
		if (!options.audio_contexts.empty()) own.audio_context = options.audio_contexts[clip];
		return own;
	}

	/** Clips in a batch: as many as the kernels take, and as there is memory for: each keeps caches, in each slot. */
	int BatchSize() const {
		const bool halves = info_.device == "CPU" && info_.decoder == "f16" &&
			CanMultiply(static_cast<size_t>(whisper_model_n_text_state(context_.get())));
		if (!halves && !matrices_) return 1;
		return std::clamp(static_cast<int>(kBatchBytes / internals::StateBytes(context_.get())), 1,
			kMostBatched);
	}

	/** Not with beam search, whose candidates share a reading of the weights already. */
	bool CanBatch(const Options& options) const {
		return info_.clips_together > 1 && OnOwnThreads(options) && options.beam_size <= 1;
	}

	Expected<Done> TranscribeBatch(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) {
		DecodeBatcher& batcher = batchers_[static_cast<size_t>(options.slot)];
		const auto most = static_cast<size_t>(info_.clips_together);
		Expected<Done> ran = Done{};
		for (size_t from = 0; from < requests.size() && ran; from += most) {
			ran = batcher.Run(
				std::min(most, requests.size() - from),
				[&](size_t member) { return requests[from + member].cancel->Requested(); },
				[&](size_t member) { TranscribeClip(requests, from + member, options, on_result, &batcher); });
		}
		return ran;
	}

	Expected<Done> MakeState(StateSlot& state_slot) const {
		state_slot.state.reset(whisper_init_state(context_.get()));
		if (!state_slot.state) return Failure{"out_of_memory", "whisper.cpp could not make a state"};
		if (integers_) internals::SetEncoder(state_slot.state.get(), integers_);
		else if (!encoders_.empty()) return internals::SetEncoders(state_slot.state.get(), encoders_);
		return Done{};
	}

	Expected<Done> Prepare(StateSlot& state_slot, int threads) {
		if (!state_slot.state) {
			if (Expected<Done> made = MakeState(state_slot); !made) return made;
		}
		// The idle threads of the larger one would wake for every graph; without one, each graph would make its own.
		auto& pool = threads > 1 ? state_slot.pool : state_slot.pool_of_one;
		if (!pool) {
			ggml_threadpool_params params = ggml_threadpool_params_default(threads > 1 ? max_threads_ : 1);
			pool.reset(ggml_threadpool_new(&params));
			if (!pool) return Failure{"out_of_memory", "no thread pool could be made"};
		}
		internals::SetThreadPool(state_slot.state.get(), pool.get());
		internals::Reseed(state_slot.state.get());
		return Done{};
	}

	Expected<RawResult> RunClip(
		StateSlot& state_slot, const ClipRequest& request, const Options& options, DecodeBatcher* together) {
		const Clip& given = request.clip;
		const Cancel& cancel = *request.cancel;
		if (cancel.Requested()) return Cancelled();
		RawResult result;
		if (given.size == 0) return result;
		if (given.size > INT32_MAX / 2) return Failure{"engine_failed", "the clip is too long for whisper.cpp"};
		const int threads = std::clamp(options.threads, 1, max_threads_);
		for (const std::string& language : options.languages) {
			if (!Knows(language)) return Unknown(language);
		}
		// whisper.cpp would go on with a wrong token.
		if (!options.language.empty() && !Knows(options.language)) return Unknown(options.language);
		for (const int token : options.suppress) {
			if (token < 0 || token >= whisper_token_eot(context_.get())) {
				return Failure{"engine_failed", "the model has no text token " + std::to_string(token)};
			}
		}
		if (Expected<Done> ready = Prepare(state_slot, threads); !ready) return ready.failure();
		whisper_state* state = state_slot.state.get();

		std::vector<float> copy;
		const Clip clip = Bounded(given, copy);
		// The end stays where it was: what the model says of the silence is not wanted.
		const int end_ms = given.size >= kLeastSamples
			? 0
			: std::max(kLeastMilliseconds, static_cast<int>(std::ceil(given.Seconds() * 1000)));
		int code = 0;
		std::optional<Failure> encoder_failure;
		try {
			internals::DecodeHooks hooks(context_.get(), state, matrices_.get(), threads, cancel, together);
			const Sound loud = options.token_timestamps ? Sound(clip.samples, given.size) : Sound(nullptr, 0);
			DecodeRun run{context_.get(), hooks, cancel, options, heads_, loud, given, threads, {}};
			run.failed_before = internals::FailedDecodes(state);
			code = Full(run, clip, end_ms);
			result.failed = run.GaveUp();
			if (code == 0 && !cancel.Requested()) {
				run.Align();
				Collect(state, run, given, clip, result);
			}
			encoder_failure = hooks.failure_;
			result.decoded_tokens = hooks.decoded_;
		} catch (...) {
			// What it left half done is unknown.
			state_slot.state.reset();
			throw;
		}
		// This code alone says that whisper.cpp has freed the state itself.
		if (code == -7) (void)state_slot.state.release();
		if (cancel.Requested()) return Cancelled();
		if (code == -7) return Failure{"out_of_memory", "whisper.cpp found no memory for its key-value cache"};
		if (encoder_failure) return *encoder_failure;
		if (result.failed) return result;
		if (code != 0) return Failure{"engine_failed", "whisper.cpp failed with " + std::to_string(code)};
		return result;
	}

	/** The code of whisper_full_with_state. `run.language` is set here, once, for what follows. */
	int Full(DecodeRun& run, const Clip& clip, int end_ms) {
		whisper_state* state = run.hooks.state_;
		const Options& options = run.options;
		internals::SetAbort(state, DecodeRun::Abort, &run);
		// Language detection goes by it; whisper_full sets it again.
		internals::SetAudioContext(state, options.audio_context);
		internals::SetMel(state, filters_.Spectrogram(clip.samples, clip.size), clip.size);
		std::string& language = run.language;
		language = options.language.empty() ? "en" : options.language;
		if (options.language.empty() && info_.multilingual) {
			const std::vector<float> scores = internals::DetectLanguage(context_.get(), run.hooks, run.threads);
			if (scores.empty()) return -3;
			const std::vector<std::string>& among = options.languages.empty() ? info_.languages : options.languages;
			const auto score = [&](const std::string& code) {
				return scores[static_cast<size_t>(whisper_lang_id(code.c_str()))];
			};
			language = *std::max_element(among.begin(), among.end(),
				[&](const std::string& one, const std::string& other) { return score(one) < score(other); });
		}

		const bool beams = options.beam_size > 1;
		whisper_full_params params =
			whisper_full_default_params(beams ? WHISPER_SAMPLING_BEAM_SEARCH : WHISPER_SAMPLING_GREEDY);
		params.n_threads = run.threads;
		params.duration_ms = end_ms;
		params.translate = options.translate;
		params.audio_ctx = options.audio_context;
		params.no_context = true;  // what the state transcribed before is of another request
		params.print_progress = params.print_realtime = params.print_timestamps = params.print_special = false;
		params.token_timestamps = false;  // DecodeRun::Align computes them
		params.language = language.c_str();
		const std::string prompt = TailOf(options.prompt, kPromptBytes);
		params.initial_prompt = prompt.empty() ? nullptr : prompt.c_str();
		params.temperature = options.temperature;
		// Without a step whisper.cpp does not look whether the decode has failed.
		params.temperature_inc = options.first_try_only ? kUsualStep : options.temperature_increment;
		params.greedy.best_of = kBestOf;
		params.beam_search.beam_size = std::clamp(options.beam_size, 1, kMostDecoders);
		params.suppress_nst = options.suppress_non_speech;
		params.abort_callback = DecodeRun::Abort;
		params.abort_callback_user_data = &run;
		params.encoder_begin_callback = DecodeRun::WindowBegins;
		params.encoder_begin_callback_user_data = &run;
		params.new_segment_callback = DecodeRun::SegmentMade;
		params.new_segment_callback_user_data = &run;
		params.logits_filter_callback = DecodeRun::Filter;
		params.logits_filter_callback_user_data = &run;
		// No samples: the spectrogram is there.
		return whisper_full_with_state(context_.get(), state, params, nullptr, 0);
	}

	void Collect(whisper_state* state, const DecodeRun& run, const Clip& given, const Clip& padded, RawResult& result) {
		const int first_special = whisper_token_eot(context_.get());
		const int begin_token = whisper_token_beg(context_.get());
		const double end_of_clip = given.Seconds();
		const auto inside = [&](double seconds, double from) {
			return std::clamp(seconds, std::min(from, end_of_clip), end_of_clip);
		};
		result.language = run.language;
		double at = 0, token_at = 0;
		std::string before;
		std::vector<int32_t> kept;  // of the segment before
		int repeats = 0;
		const int segments = whisper_full_n_segments_from_state(state);
		for (int i = 0; i < segments; i++) {
			const auto index = static_cast<size_t>(i);
			const int64_t begins = whisper_full_get_segment_t0_from_state(state, i);
			const double start = inside(static_cast<double>(begins) / 100, at);
			const double end = inside(static_cast<double>(whisper_full_get_segment_t1_from_state(state, i)) / 100, start);
			at = end;
			const int count = whisper_full_n_tokens_from_state(state, i);
			std::vector<int> positions;
			std::vector<int32_t> ids;
			for (int k = 0; k < count; k++) {
				const int id = whisper_full_get_token_id_from_state(state, i, k);
				if (id >= first_special) continue;
				positions.push_back(k);
				ids.push_back(id);
			}

			const std::string text = whisper_full_get_segment_text_from_state(state, i);
			repeats = text == before ? repeats + 1 : 0;
			before = text;
			const bool silent = repeats > 0 && Repeats(state, i, repeats) >= kSilentRepeats &&
				!Sound(padded.samples, given.size).Any(start, end);
			const auto loops = silent ? std::vector<std::pair<size_t, size_t>>{{0, ids.size()}} : FindLoops(ids);
			for (const auto& [from, to] : loops) {
				result.removed_repetitions.insert(result.removed_repetitions.end(), {start, end});
				Log(LogLevel::kWarn, "whisper.cpp repeats itself: " + std::to_string(to - from) + " tokens cut");
			}
			if (silent) continue;
			std::vector<size_t> left;
			auto loop = loops.begin();
			for (size_t k = 0; k < ids.size(); k++) {
				while (loop != loops.end() && k >= loop->second) loop++;
				if (loop == loops.end() || k < loop->first) left.push_back(k);
			}
			std::vector<int32_t> said;
			for (const size_t k : left) said.push_back(ids[k]);
			// The loop began in the segment before: its first round is no speech either.
			if (!loops.empty() && end <= start && said == kept) continue;
			kept = std::move(said);
			for (const size_t k : left) {
				const whisper_token_data token = whisper_full_get_token_data_from_state(state, i, positions[k]);
				float from = kUnknown, to = kUnknown;
				if (index < run.times.size()) {
					const TokenSpan span = run.times[index][static_cast<size_t>(positions[k])];
					from = static_cast<float>(token_at = inside(span.start, token_at));
					to = static_cast<float>(token_at = inside(span.end, token_at));
				}
				result.AddToken(internals::TokenBytes(context_.get(), token.id), token.id, from, to, token.plog);
			}
			const DecodeRun::Decode decode =
				index < run.decodes.size() ? run.decodes[index] : DecodeRun::Decode{0, kUnknown, kUnknown};
			const int last = whisper_full_get_token_id_from_state(state, i, count - 1);
			result.AddSegment(start, end, decode.logprob, whisper_full_get_segment_no_speech_prob_from_state(state, i),
				decode.temperature, decode.seek,
				begin_token + std::round((static_cast<double>(begins) / 100 - decode.seek) * 50),
				last >= begin_token ? last : kUnknown);
		}
	}

	/** Segments of the same text around this one, itself not counted, of which `before` come before. */
	static int Repeats(whisper_state* state, int segment, int before) {
		const std::string text = whisper_full_get_segment_text_from_state(state, segment);
		int repeats = before;
		for (int i = segment + 1; i < whisper_full_n_segments_from_state(state); i++, repeats++) {
			if (text != whisper_full_get_segment_text_from_state(state, i)) break;
		}
		return repeats;
	}

	static Failure Unknown(const std::string& language) {
		return {"engine_failed", "the model does not know language '" + language + "'"};
	}

	bool Knows(const std::string& language) const {
		return std::find(info_.languages.begin(), info_.languages.end(), language) != info_.languages.end();
	}

	// The states refer to the context, so they are declared after it.
	std::unique_ptr<whisper_context, ContextFree> context_;
	const MelFilters filters_;
	const std::vector<std::shared_ptr<const ort::Session>> encoders_;
	const std::shared_ptr<const IntEncoder> integers_;  // neither = ggml's own
	std::unique_ptr<const Q8Matrices> matrices_;
	const int max_threads_;
	WhisperInfo info_;
	std::vector<internals::Head> heads_;
	std::mutex mutex_;
	std::vector<StateSlot> state_slots_;  // free ones; guarded by mutex_
	int state_slots_to_make_ = 0;  // guarded by mutex_
	std::vector<DecodeBatcher> batchers_;  // of each slot
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
		auto file = ModelFile::Open(load.path);
		if (!file) return file.failure();
		auto loader = file->For<whisper_model_loader>();
		std::optional<internals::PlainWeights> plain;
		if (load.integers) plain.emplace();
		std::unique_ptr<whisper_context, ContextFree> context(
			whisper_init_with_params_no_state(&loader, params));
		if (!context) return Failure{"model_load_failed", "whisper.cpp refused " + load.path};
		std::shared_ptr<const IntEncoder> integers;
		if (load.integers) {
			const bool bytes = load.quantise_decoder || internals::DecoderType(context.get()) == "q8_0";
			auto made = internals::MakeIntEncoder(context.get(), *load.integers, bytes ? Integers::k8 : Integers::k16);
			if (!made) return made.failure();
			integers = std::move(*made);
		}
		auto engine = std::make_shared<Whisper>(std::move(context), load, std::move(integers));
		if (std::string fault = engine->Fault(); !fault.empty()) return Failure{"model_load_failed", load.path + ": " + fault};
		if (Expected<Done> added = engine->MakeStateSlots(load.slots); !added) return added.failure();
		return std::shared_ptr<WhisperEngine>(engine);
	});
}

std::string WhisperVersion() { return whisper_version(); }

}  // namespace earshot
