#include "whisper/clip/decode_run.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/result.h"
#include "whisper/math/repetition.h"
#include "whisper/upstream/cross_attention.h"

namespace earshot {

namespace {

/** Seconds by which the last word may exceed the timestamp that ends its segment. */
constexpr double kEndSlackSeconds = 0.2;

/** Minimum probability of a timestamp between two words: whisper.cpp's thold_pt. */
constexpr float kMinTimestampProbability = 0.01F;

/** Estimated duration of spoken text, in letters. */
double LengthOf(std::string_view text) {
	double length = 0;
	for (const char character : text) {
		const auto byte = static_cast<unsigned char>(character);
		if ((byte & 0xC0) == 0x80 || byte == ' ') continue;
		if (byte >= '0' && byte <= '9') length += 3;
		else if (byte == '.' || byte == '!' || byte == '?' || byte == ',') length += 0.5;
		else length += 1;
	}
	return std::max(length, 0.1);
}

/** log softmax at `id` without the temperature by which the log-probabilities were divided. */
double LogSoftmaxAt(const std::vector<float>& logprobs, int id, double temperature) {
	double sum = 0;
	const double greatest = *std::max_element(logprobs.begin(), logprobs.end());
	for (const float logprob : logprobs) {
		if (std::isfinite(logprob)) sum += std::exp((logprob - greatest) * temperature);
	}
	return (logprobs[static_cast<size_t>(id)] - greatest) * temperature - std::log(sum);
}

}  // namespace

bool DecodeRun::Abort(void* data) {
	const auto& run = *static_cast<DecodeRun*>(data);
	return run.cancel.Requested();
}

bool DecodeRun::WindowBegins(whisper_context*, whisper_state* state, void* data) {
	auto& run = *static_cast<DecodeRun*>(data);
	run.Align(true);
	run.failed_before = upstream::FailedDecodes(state);
	run.window_known = false;
	return !run.cancel.Requested();
}

void DecodeRun::Filter(whisper_context*, whisper_state* state, const whisper_token_data* tokens, int count, float* logits,
	void* data) {
	auto& run = *static_cast<DecodeRun*>(data);
	for (const int token : run.options.suppress) logits[token] = -INFINITY;
	if (count == 0) {
		run.attempts = {};
		return;
	}
	const int decoder = upstream::DecoderOf(state, tokens);
	if (decoder < 0 || decoder >= kMaxDecoders) return;
	Attempt& present = run.attempts[static_cast<size_t>(decoder)];
	present.sampled = static_cast<size_t>(count);
	const double temperature = run.Temperature();
	if (temperature > 0) {
		present.sum += LogSoftmaxAt(upstream::LastLogprobs(state, decoder), tokens[count - 1].id, temperature);
	}
	const int begin = whisper_token_beg(run.context);
	std::vector<int32_t> text;
	for (int i = count - 1; i >= 0 && tokens[i].id < begin; i--) text.push_back(tokens[i].id);
	// Restore the order of the text.
	std::reverse(text.begin(), text.end());
	if (EndsInLoop(text.data(), text.size())) {
		present.loops = true;
		upstream::FailDecoder(state, decoder);
	}
}

void DecodeRun::SegmentMade(whisper_context*, whisper_state* state, int count, void* data) {
	auto& run = *static_cast<DecodeRun*>(data);
	const int total = whisper_full_n_segments_from_state(state);
	for (int i = total - count; i < total; i++) {
		if (!run.window_known) run.ReadWindow(i);
		run.decodes.push_back(run.window);
	}
}

void DecodeRun::ReadWindow(int segment) {
	whisper_state* state = hooks.state_;
	window_known = true;
	window.temperature = Temperature();
	window.logprob = kUnknown;
	const auto [decoder, position] = upstream::OriginOf(state, segment);
	if (decoder < 0 || decoder >= kMaxDecoders) return;

	// As openai/whisper decoding.py: over all sampled tokens and the end of text, by unscaled logits.
	const Attempt& made = attempts[static_cast<size_t>(decoder)];
	const auto& tokens = upstream::TokensOf(state, decoder);
	// The window's start is the segment's minus the timestamp before its text, which may be another segment's.
	const int stamp = std::max(tokens[position > 0 ? position - 1 : 0].id, whisper_token_beg(context));
	const int64_t begins = whisper_full_get_segment_t0_from_state(state, segment);
	window.seek = std::max(0.0, static_cast<double>(begins - 2 * (stamp - whisper_token_beg(context))) / 100);
	const int end = whisper_token_eot(context);
	const size_t most = static_cast<size_t>(whisper_model_n_text_ctx(context) / 2 - 4);
	const size_t sampled = made.loops ? made.sampled : made.sampled + 1;
	const bool truncated = tokens.size() < sampled;
	const bool ended = !made.loops && sampled < most && (truncated || tokens.back().id == end);
	double sum = upstream::SumOfLogprobs(state, decoder);
	if (window.temperature > 0 && options.beam_size <= 1) {
		sum = made.sum;
		const int last = truncated ? end : tokens.back().id;
		if (!made.loops) sum += LogSoftmaxAt(upstream::LastLogprobs(state, decoder), last, window.temperature);
	}
	window.logprob = sum / static_cast<double>(ended ? sampled : sampled + 1);
}

void DecodeRun::Align(bool is_more) {
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
	const double seek = std::min(decodes[static_cast<size_t>(first)].seek, clip.Seconds());
	// Later audio belongs to the next window.
	const double ends = static_cast<double>(whisper_full_get_segment_t1_from_state(state, total - 1)) / 100;
	const double until = is_more ? std::clamp(ends + kEndSlackSeconds, seek, clip.Seconds()) : clip.Seconds();
	const std::vector<TokenSpan> aligned = Attend(text, seek, until);
	std::vector<TokenSpan*> spans;
	for (int i = first; i < total; i++) {
		if (aligned.empty()) Spread(i);
		auto& of_segment = times[static_cast<size_t>(i)];
		for (size_t k = 0; k < of_segment.size(); k++) {
			if (whisper_full_get_token_id_from_state(state, i, static_cast<int>(k)) >= special) continue;
			if (!aligned.empty()) of_segment[k] = sound.Trim(aligned[spans.size()]);
			spans.push_back(&of_segment[k]);
		}
	}
	KeepApart(spans, seek, until);
}

std::vector<TokenSpan> DecodeRun::Attend(const std::vector<whisper_token>& text, double seek, double until) {
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
	const double seconds = std::clamp(until - seek, 0.02, 30.0);
	const auto frames = static_cast<size_t>(std::ceil(seconds * 50));
	std::vector<TokenSpan> spans = AlignByAttention(
		upstream::ReadAttention(context, hooks, tokens, heads, frames, threads), first_row, text.size());
	for (TokenSpan& span : spans) span = {span.start + seek, span.end + seek};
	return spans;
}

void DecodeRun::Spread(int segment) {
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
		const std::string_view text = upstream::TokenBytes(context, token.id);
		const bool begins = !text.empty() && text.front() == ' ';
		const double at = seek + 0.02 * (token.tid - begin);
		const bool likely =
			token.pt > kMinTimestampProbability && token.ptsum > kMinTimestampProbability && token.tid > begin;
		if (begins && !members.empty() && likely && at > start && at < end && sound.Any(start, at) &&
			sound.Any(at, end)) {
			flush(at);
		}
		shapes.push_back({LengthOf(text), begins});
		members.push_back(k);
	}
	if (!members.empty()) flush(end);
}

}  // namespace earshot
