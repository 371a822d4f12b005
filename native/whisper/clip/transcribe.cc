#include "whisper/clip/transcribe.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "whisper/clip/collect.h"
#include "whisper/clip/decode_run.h"
#include "whisper/math/sound.h"
#include "whisper/upstream/hooks.h"
#include "whisper/upstream/upstream.h"

namespace earshot {

namespace {

/** Shorter clips are padded with silence: whisper.cpp drops clips below 0.1 s, reads past the end of less than 201 samples,
 * and recognises badly below a second. */
constexpr size_t kMinSamples = kSampleRate;
constexpr int kMinMilliseconds = 200;
/** Candidates at temperatures above 0. Each has a key-value cache for the lifetime of the state. */
constexpr int kBestOf = 2;
/** Larger samples would overflow in the power spectrum. */
constexpr float kMaxAmplitude = 1e4F;

/** whisper.cpp uses only the last 223 tokens of a prompt. Its tokeniser is a regular expression that recurses for every
 * letter of a word and would overflow the stack. */
constexpr size_t kPromptBytes = 4096;

/** At most the last `bytes` of UTF-8 text, from the start of a character. */
std::string TailOf(const std::string& text, size_t bytes) {
	if (text.size() <= bytes) return text;
	size_t from = text.size() - bytes;
	while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) from++;
	return text.substr(from);
}

/** The clip itself, or a `copy` that is padded, finite and bounded. */
Clip Sanitized(const Clip& given, std::vector<float>& copy) {
	const bool sound = std::all_of(given.samples, given.samples + given.size,
		[](float sample) { return std::abs(sample) <= kMaxAmplitude; });
	if (sound && given.size >= kMinSamples) return given;
	copy.assign(std::max(given.size, kMinSamples), 0.0F);
	std::transform(given.samples, given.samples + given.size, copy.begin(),
		[](float sample) { return std::isfinite(sample) ? std::clamp(sample, -kMaxAmplitude, kMaxAmplitude) : 0.0F; });
	return {copy.data(), copy.size()};
}

/** Returns the code of whisper_full_with_state. Sets `run.language`. */
int RunWhisper(const WhisperModel& model, DecodeRun& run, const Clip& clip, int end_ms) {
	whisper_state* state = run.hooks.state_;
	const WhisperOptions& options = run.options;
	upstream::SetAbort(state, DecodeRun::Abort, &run);
	// For language detection; whisper_full sets it again.
	upstream::SetAudioContext(state, options.audio_context);
	upstream::SetMel(state, model.filters.Spectrogram(clip.samples, clip.size), clip.size);
	std::string& language = run.language;
	language = options.language.empty() ? "en" : options.language;
	if (options.language.empty() && model.info.multilingual) {
		const std::vector<float> scores = upstream::DetectLanguage(model.context(), run.hooks, run.threads);
		if (scores.empty()) return -3;
		const std::vector<std::string>& among = options.languages.empty() ? model.info.languages : options.languages;
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
	params.no_context = true;  // the state may have transcribed another request before
	params.print_progress = params.print_realtime = params.print_timestamps = params.print_special = false;
	params.token_timestamps = false;  // DecodeRun::Align computes them
	params.language = language.c_str();
	const std::string prompt = TailOf(options.prompt, kPromptBytes);
	params.initial_prompt = prompt.empty() ? nullptr : prompt.c_str();
	params.temperature = options.temperature;
	params.temperature_inc = options.temperature_increment;
	params.greedy.best_of = kBestOf;
	params.beam_search.beam_size = std::clamp(options.beam_size, 1, kMaxDecoders);
	params.suppress_nst = options.suppress_non_speech;
	params.abort_callback = DecodeRun::Abort;
	params.abort_callback_user_data = &run;
	params.encoder_begin_callback = DecodeRun::WindowBegins;
	params.encoder_begin_callback_user_data = &run;
	params.new_segment_callback = DecodeRun::SegmentMade;
	params.new_segment_callback_user_data = &run;
	params.logits_filter_callback = DecodeRun::Filter;
	params.logits_filter_callback_user_data = &run;
	// No samples: the spectrogram has been set.
	return whisper_full_with_state(model.context(), state, params, nullptr, 0);
}

Failure UnknownLanguage(const std::string& language) {
	return {"engine_failed", "the model does not know language '" + language + "'"};
}

}  // namespace

Expected<RawResult> TranscribeClip(const WhisperModel& model, const States& states, StateSlot& slot,
	const ClipRequest& request, const WhisperOptions& options, DecodeBatcher* batcher) {
	const Clip& given = request.clip;
	const Cancel& cancel = *request.cancel;
	if (cancel.Requested()) return Cancelled();
	RawResult result;
	if (given.size == 0) return result;
	if (given.size > INT32_MAX / 2) return Failure{"engine_failed", "the clip is too long for whisper.cpp"};
	const int threads = std::clamp(options.threads, 1, model.max_threads);
	for (const std::string& language : options.languages) {
		if (!model.Knows(language)) return UnknownLanguage(language);
	}
	// whisper.cpp would continue with a wrong token.
	if (!options.language.empty() && !model.Knows(options.language)) return UnknownLanguage(options.language);
	for (const int token : options.suppress) {
		if (token < 0 || token >= whisper_token_eot(model.context())) {
			return Failure{"engine_failed", "the model has no text token " + std::to_string(token)};
		}
	}
	if (Expected<Done> ready = states.Prepare(slot, threads); !ready) return ready.failure();
	whisper_state* state = slot.state.get();

	std::vector<float> copy;
	const Clip clip = Sanitized(given, copy);
	// Exclude the padding, to get no text for it.
	const int end_ms = given.size >= kMinSamples
		? 0
		: std::max(kMinMilliseconds, static_cast<int>(std::ceil(given.Seconds() * 1000)));
	int code = 0;
	std::optional<Failure> encoder_failure;
	try {
		upstream::DecodeHooks hooks(model.context(), state, model.matrices.get(), threads, cancel, batcher);
		const Sound sound = options.token_timestamps ? Sound(clip.samples, given.size) : Sound(nullptr, 0);
		DecodeRun run{model.context(), hooks, cancel, options, model.heads, sound, given, threads, {}};
		run.failed_before = upstream::FailedDecodes(state);
		code = RunWhisper(model, run, clip, end_ms);
		if (code == 0 && !cancel.Requested()) {
			run.Align(false);
			Collect(run, given, clip, result);
		}
		encoder_failure = hooks.failure_;
		result.decoded_tokens = hooks.decoded_;
	} catch (...) {
		// Its contents are undefined.
		slot.state.reset();
		throw;
	}
	// Only with this code whisper.cpp has freed the state itself.
	if (code == -7) (void)slot.state.release();
	if (cancel.Requested()) return Cancelled();
	if (code == -7) return Failure{"out_of_memory", "whisper.cpp found no memory for its key-value cache"};
	if (encoder_failure) return *encoder_failure;
	if (code != 0) return Failure{"engine_failed", "whisper.cpp failed with " + std::to_string(code)};
	return result;
}

Expected<std::vector<float>> EncodeClip(const WhisperModel& model, const States& states, StateSlot& slot,
	const Clip& clip, const WhisperOptions& options, const Cancel& cancel) {
	const int threads = std::clamp(options.threads, 1, model.max_threads);
	if (Expected<Done> ready = states.Prepare(slot, threads); !ready) return ready.failure();
	whisper_state* state = slot.state.get();
	upstream::DecodeHooks hooks(model.context(), state, model.matrices.get(), threads, cancel);
	upstream::SetAbort(state, [](void* data) { return static_cast<const Cancel*>(data)->Requested(); },
		const_cast<Cancel*>(&cancel));
	upstream::SetAudioContext(state, options.audio_context);
	std::vector<float> copy, made;
	const Clip padded = Sanitized(clip, copy);
	upstream::SetMel(state, model.filters.Spectrogram(padded.samples, padded.size), padded.size);
	made = upstream::Encoded(model.context(), hooks);
	if (cancel.Requested()) return Cancelled();
	if (hooks.failure_) return *hooks.failure_;
	if (made.empty()) return Failure{"engine_failed", "whisper.cpp could not encode the clip"};
	return made;
}

}  // namespace earshot
