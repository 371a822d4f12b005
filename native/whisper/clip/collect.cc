#include "whisper/clip/collect.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/log.h"
#include "whisper/math/repetition.h"
#include "whisper/math/sound.h"
#include "whisper/upstream/upstream.h"

namespace earshot {

namespace {

/** In silence, more than this many consecutive segments of the same text are made up. */
constexpr int kMaxSilentRepeats = 3;
/** A shorter rest of a clip is no speech if the model says so: OpenAI's threshold, regardless of the text. */
constexpr double kShortRestSeconds = 1;
constexpr float kNoSpeechThreshold = 0.6F;

/** Number of adjacent segments with the same text, of which `before` precede this one. */
int Repeats(whisper_state* state, int segment, int before) {
	const std::string text = whisper_full_get_segment_text_from_state(state, segment);
	int repeats = before;
	for (int i = segment + 1; i < whisper_full_n_segments_from_state(state); i++, repeats++) {
		if (text != whisper_full_get_segment_text_from_state(state, i)) break;
	}
	return repeats;
}

}  // namespace

void Collect(const DecodeRun& run, const Clip& given, const Clip& padded, RawResult& result) {
	whisper_state* state = run.hooks.state_;
	const int first_special = whisper_token_eot(run.context);
	const int begin_token = whisper_token_beg(run.context);
	const double end_of_clip = given.Seconds();
	const auto inside = [&](double seconds, double from) {
		return std::clamp(seconds, std::min(from, end_of_clip), end_of_clip);
	};
	result.language = run.language;
	double at = 0, token_at = 0;
	std::string before;
	std::vector<int32_t> kept;  // of the previous segment
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
		const bool silent = repeats > 0 && Repeats(state, i, repeats) >= kMaxSilentRepeats &&
			!Sound(padded.samples, given.size).Any(start, end);
		const auto loops = silent ? std::vector<std::pair<size_t, size_t>>{{0, ids.size()}} : FindLoops(ids);
		for (const auto& [from, to] : loops) {
			result.removed_repetitions.insert(result.removed_repetitions.end(), {start, end});
			Log(LogLevel::kWarn, "whisper.cpp repeats itself: " + std::to_string(to - from) + " tokens cut");
		}
		const double seek = index < run.decodes.size() ? run.decodes[index].seek : 0;
		const bool is_rest = seek > 0 && end_of_clip - seek < kShortRestSeconds;
		const float no_speech = whisper_full_get_segment_no_speech_prob_from_state(state, i);
		if (silent || (is_rest && no_speech > kNoSpeechThreshold)) continue;
		std::vector<size_t> left;
		auto loop = loops.begin();
		for (size_t k = 0; k < ids.size(); k++) {
			while (loop != loops.end() && k >= loop->second) loop++;
			if (loop == loops.end() || k < loop->first) left.push_back(k);
		}
		std::vector<int32_t> said;
		for (const size_t k : left) said.push_back(ids[k]);
		// The loop began in the previous segment, so this one's first round is a repetition too.
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
			result.AddToken(upstream::TokenBytes(run.context, token.id), token.id, from, to, token.plog);
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

}  // namespace earshot
