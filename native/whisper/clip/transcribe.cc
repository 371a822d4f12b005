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

/** whisper.cpp drops what is shorter than 0.1 s, reads past the end of less than 201 samples and recognizes badly
 * below a second: shorter clips get silence behind them. */
constexpr size_t kLeastSamples = kSampleRate;
constexpr int kLeastMilliseconds = 200;
/** Candidates at temperatures above 0. Each costs a key-value cache for as long as the state lives. */
constexpr int kBestOf = 2;
/** Beyond this a sample is no sound: it would overflow in the power spectrum. */
constexpr float kLoudest = 1e4F;

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

/** The code of whisper_full_with_state. `run.language` is set here, once, for what follows. */
int Full(const WhisperModel& model, DecodeRun& run, const Clip& clip, int end_ms) {
	whisper_state* state = run.hooks.state_;
	const WhisperOptions& options = run.options;
	upstream::SetAbort(state, DecodeRun::Abort, &run);
	// Language detection goes by it; whisper_full sets it again.
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
	params.no_context = true;  // what the state transcribed before is of another request
	params.print_progress = params.print_realtime = params.print_timestamps = params.print_special = false;
	params.token_timestamps = false;  // DecodeRun::Align computes them
	params.language = language.c_str();
	const std::string prompt = TailOf(options.prompt, kPromptBytes);
	params.initial_prompt = prompt.empty() ? nullptr : prompt.c_str();
	params.temperature = options.temperature;
	params.temperature_inc = options.temperature_increment;
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
	return whisper_full_with_state(model.context(), state, params, nullptr, 0);
}

Failure Unknown(const std::string& language) {
	return {"engine_failed", "the model does not know language '" + language + "'"};
}

}  // namespace

Expected<RawResult> TranscribeClip(const WhisperModel& model, const States& states, StateSlot& slot,
	const ClipRequest& request, const WhisperOptions& options, DecodeBatcher* together) {
	const Clip& given = request.clip;
	const Cancel& cancel = *request.cancel;
	if (cancel.Requested()) return Cancelled();
	RawResult result;
	if (given.size == 0) return result;
	if (given.size > INT32_MAX / 2) return Failure{"engine_failed", "the clip is too long for whisper.cpp"};
	const int threads = std::clamp(options.threads, 1, model.max_threads);
	for (const std::string& language : options.languages) {
		if (!model.Knows(language)) return Unknown(language);
	}
	// whisper.cpp would go on with a wrong token.
	if (!options.language.empty() && !model.Knows(options.language)) return Unknown(options.language);
	for (const int token : options.suppress) {
		if (token < 0 || token >= whisper_token_eot(model.context())) {
			return Failure{"engine_failed", "the model has no text token " + std::to_string(token)};
		}
	}
	if (Expected<Done> ready = states.Prepare(slot, threads); !ready) return ready.failure();
	whisper_state* state = slot.state.get();

	std::vector<float> copy;
	const Clip clip = Bounded(given, copy);
	// The end stays where it was: what the model says of the silence is not wanted.
	const int end_ms = given.size >= kLeastSamples
		? 0
		: std::max(kLeastMilliseconds, static_cast<int>(std::ceil(given.Seconds() * 1000)));
	int code = 0;
	std::optional<Failure> encoder_failure;
	try {
		upstream::DecodeHooks hooks(model.context(), state, model.matrices.get(), threads, cancel, together);
		const Sound loud = options.token_timestamps ? Sound(clip.samples, given.size) : Sound(nullptr, 0);
		DecodeRun run{model.context(), hooks, cancel, options, model.heads, loud, given, threads, {}};
		run.failed_before = upstream::FailedDecodes(state);
		code = Full(model, run, clip, end_ms);
		if (code == 0 && !cancel.Requested()) {
			run.Align(false);
			Collect(run, given, clip, result);
		}
		encoder_failure = hooks.failure_;
		result.decoded_tokens = hooks.decoded_;
	} catch (...) {
		// What it left half done is unknown.
		slot.state.reset();
		throw;
	}
	// This code alone says that whisper.cpp has freed the state itself.
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
	const Clip padded = Bounded(clip, copy);
	upstream::SetMel(state, model.filters.Spectrogram(padded.samples, padded.size), padded.size);
	made = upstream::Encoded(model.context(), hooks);
	if (cancel.Requested()) return Cancelled();
	if (hooks.failure_) return *hooks.failure_;
	if (made.empty()) return Failure{"engine_failed", "whisper.cpp could not encode the clip"};
	return made;
}

}  // namespace earshot
