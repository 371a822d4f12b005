#include "whisper/clip/transcribe.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "whisper/clip/align.h"
#include "whisper/clip/collect.h"
#include "whisper/decode/cached_decoder.h"
#include "whisper/decode/windows.h"
#include "whisper/upstream/hooks.h"
#include "whisper/upstream/upstream.h"

namespace earshot {

namespace {

/** Shorter clips are padded with silence: whisper.cpp drops clips below 0.1 s, reads past the end of less than 201 samples,
 * and recognises badly below a second. */
constexpr size_t kMinSamples = kSampleRate;
constexpr int kMinMilliseconds = 200;
/** Candidates at temperatures above 0. */
constexpr int kBestOf = 2;
constexpr int kMaxBeams = 8;
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

bool Requested(void* cancel) { return static_cast<const Cancel*>(cancel)->Requested(); }

/** The likeliest of `among` at the clip's start; nothing if the decoder failed. */
std::optional<std::string> Detect(
	const WhisperModel& model, CachedDecoder& decoder, const Vocabulary& words, const std::vector<std::string>& among) {
	if (!decoder.Encode(0)) return std::nullopt;
	decoder.SetPrompt({words.start});
	const float* logits = decoder.Start();
	if (logits == nullptr) return std::nullopt;
	const auto score = [&](const std::string& code) {
		return logits[whisper_token_lang(model.context(), whisper_lang_id(code.c_str()))];
	};
	return *std::max_element(among.begin(), among.end(),
		[&](const std::string& one, const std::string& other) { return score(one) < score(other); });
}

std::vector<int32_t> Tokenise(whisper_context* context, const std::string& text) {
	if (text.empty()) return {};
	// Not more than one for each byte.
	std::vector<int32_t> tokens(text.size());
	const int count = whisper_tokenize(context, text.c_str(), tokens.data(), static_cast<int>(tokens.size()));
	tokens.resize(static_cast<size_t>(std::max(count, 0)));
	return tokens;
}

std::vector<int32_t> TaskOf(const WhisperModel& model, const Vocabulary& words, const std::string& language, bool translate) {
	whisper_context* context = model.context();
	std::vector<int32_t> task{words.start};
	if (model.info.multilingual) {
		task.push_back(whisper_token_lang(context, whisper_lang_id(language.c_str())));
		task.push_back(translate ? whisper_token_translate(context) : whisper_token_transcribe(context));
	}
	return task;
}

Rules RulesOf(const WhisperModel& model, const Vocabulary& words, const WhisperOptions& options) {
	std::vector<int32_t> never = upstream::SpecialTokens(model.context());
	never.insert(never.end(), options.suppress.begin(), options.suppress.end());
	if (options.suppress_non_speech) {
		const std::vector<int32_t> symbols = upstream::NonSpeechTokens(model.context());
		never.insert(never.end(), symbols.begin(), symbols.end());
	}
	if (!upstream::WritesStamps(model.context())) {
		for (int32_t id = words.first_stamp; static_cast<size_t>(id) < words.size; id++) never.push_back(id);
	}
	return Rules(words, std::move(never));
}

/** Decodes the clip whose spectrogram is set; false on failure. */
bool DecodeClip(const WhisperModel& model, upstream::DecodeHooks& hooks, const Clip& given, int end,
	const WhisperOptions& options, std::vector<Segment>& segments, RawResult& result) {
	const Vocabulary words = upstream::WordsOf(model.context());
	const auto half = static_cast<size_t>(whisper_model_n_text_ctx(model.context()) / 2);
	DecodePlan plan;
	plan.end = end;
	plan.max_tokens = half - 4;
	plan.max_prompt = half - 1;
	plan.stamps = upstream::WritesStamps(model.context());
	plan.temperature = static_cast<double>(options.temperature);
	plan.temperature_increment = static_cast<double>(options.temperature_increment);
	plan.logprob_threshold = static_cast<double>(options.logprob_threshold);
	plan.no_speech_threshold = static_cast<double>(options.no_speech_threshold);
	plan.beams = static_cast<size_t>(std::clamp(options.beam_size, 1, kMaxBeams));
	plan.candidates = kBestOf;
	plan.prompt = Tokenise(model.context(), TailOf(options.prompt, kPromptBytes));
	CachedDecoder decoder(hooks, words, std::max(plan.beams, plan.candidates), plan.max_tokens);
	result.language = options.language.empty() ? "en" : options.language;
	if (options.language.empty() && model.info.multilingual) {
		const auto found = Detect(model, decoder, words, options.languages.empty() ? model.info.languages : options.languages);
		if (!found) return false;
		result.language = *found;
	}
	plan.task = TaskOf(model, words, result.language, options.translate);
	std::optional<Aligner> aligner;
	if (options.token_timestamps) aligner.emplace(hooks, model.heads, words, plan.task, given);
	if (!plan.stamps) plan.task.push_back(whisper_token_not(model.context()));
	const bool done = DecodeWindows(decoder, RulesOf(model, words, options), plan, segments, [&](size_t first, bool is_more) {
		if (aligner) aligner->Align(segments, first, is_more);
	});
	if (decoder.failure()) hooks.failure_ = decoder.failure();
	return done;
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
	bool done = false;
	std::optional<Failure> failure;
	try {
		upstream::DecodeHooks hooks(model.context(), state, model.matrices.get(), threads, cancel, batcher);
		upstream::SetAbort(state, Requested, const_cast<Cancel*>(&cancel));
		upstream::SetAudioContext(state, options.audio_context);
		LogMel mel = model.filters.Spectrogram(clip.samples, clip.size);
		const int end = end_ms == 0 ? upstream::FramesOf(clip.size) : end_ms / 10;
		upstream::SetMel(state, std::move(mel), clip.size);
		std::vector<Segment> segments;
		done = DecodeClip(model, hooks, {clip.samples, given.size}, end, options, segments, result);
		failure = hooks.failure_;
		if (done && !cancel.Requested()) {
			Collect(model.context(), upstream::WordsOf(model.context()), segments, given, clip,
				options.no_speech_threshold, result);
		}
		result.decoded_tokens = hooks.decoded_;
	} catch (...) {
		// Its contents are undefined.
		slot.state.reset();
		throw;
	}
	if (cancel.Requested()) return Cancelled();
	if (failure) {
		// It may be without a cache.
		slot.state.reset();
		return *failure;
	}
	if (!done) return Failure{"engine_failed", "whisper.cpp could not decode the clip"};
	return result;
}

Expected<std::vector<float>> EncodeClip(const WhisperModel& model, const States& states, StateSlot& slot,
	const Clip& clip, const WhisperOptions& options, const Cancel& cancel) {
	const int threads = std::clamp(options.threads, 1, model.max_threads);
	if (Expected<Done> ready = states.Prepare(slot, threads); !ready) return ready.failure();
	whisper_state* state = slot.state.get();
	upstream::DecodeHooks hooks(model.context(), state, model.matrices.get(), threads, cancel);
	upstream::SetAbort(state, Requested, const_cast<Cancel*>(&cancel));
	upstream::SetAudioContext(state, options.audio_context);
	std::vector<float> copy, made;
	const Clip padded = Sanitized(clip, copy);
	upstream::SetMel(state, model.filters.Spectrogram(padded.samples, padded.size), padded.size);
	made = upstream::Encoded(hooks);
	if (cancel.Requested()) return Cancelled();
	if (hooks.failure_) return *hooks.failure_;
	if (made.empty()) return Failure{"engine_failed", "whisper.cpp could not encode the clip"};
	return made;
}

}  // namespace earshot
