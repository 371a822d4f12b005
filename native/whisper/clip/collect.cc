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

/** In silence, more than this many consecutive segments of the same text are hallucinated. */
constexpr int kMaxSilentRepeats = 3;
/** For a shorter rest of a clip, the model's no-speech probability alone decides, regardless of the text. */
constexpr double kShortRestSeconds = 1;

std::string TextOf(const whisper_context* context, const Vocabulary& words, const Segment& segment) {
	std::string text;
	for (const Token& token : segment.tokens) {
		if (words.IsText(token.id)) text += upstream::TokenBytes(context, token.id);
	}
	return text;
}

/** Number of adjacent texts that are the same as this one, of which `before` precede it. */
int Repeats(const std::vector<std::string>& texts, size_t at, int before) {
	int repeats = before;
	for (size_t i = at + 1; i < texts.size() && texts[i] == texts[at]; i++) repeats++;
	return repeats;
}

}  // namespace

void Collect(const whisper_context* context, const Vocabulary& words, const std::vector<Segment>& segments, const Clip& given,
	const Clip& padded, float no_speech_threshold, RawResult& result) {
	const double end_of_clip = given.Seconds();
	const auto inside = [&](double seconds, double from) {
		return std::clamp(seconds, std::min(from, end_of_clip), end_of_clip);
	};
	double at = 0, token_at = 0;
	std::vector<std::string> texts;
	for (const Segment& segment : segments) texts.push_back(TextOf(context, words, segment));
	std::vector<int32_t> kept;  // of the previous segment
	int repeats = 0;
	for (size_t index = 0; index < segments.size(); index++) {
		const Segment& segment = segments[index];
		const double start = inside(static_cast<double>(segment.begin) / 100, at);
		const double end = inside(static_cast<double>(segment.end) / 100, start);
		at = end;
		std::vector<size_t> positions;
		std::vector<int32_t> ids;
		for (size_t k = 0; k < segment.tokens.size(); k++) {
			if (!words.IsText(segment.tokens[k].id)) continue;
			positions.push_back(k);
			ids.push_back(segment.tokens[k].id);
		}

		repeats = index > 0 && texts[index] == texts[index - 1] ? repeats + 1 : 0;
		const bool silent = repeats > 0 && Repeats(texts, index, repeats) >= kMaxSilentRepeats &&
			!Sound(padded.samples, given.size).Any(start, end);
		const auto loops = silent ? std::vector<std::pair<size_t, size_t>>{{0, ids.size()}} : FindLoops(ids);
		for (const auto& [from, to] : loops) {
			result.removed_repetitions.insert(result.removed_repetitions.end(), {start, end});
			Log(LogLevel::kWarn, "whisper.cpp repeats itself: " + std::to_string(to - from) + " tokens cut");
		}
		const double seek = static_cast<double>(segment.seek) / 100;
		const bool is_rest = seek > 0 && end_of_clip - seek < kShortRestSeconds;
		// Tokens may have no bytes.
		if (texts[index].empty() || silent || (is_rest && segment.no_speech > no_speech_threshold)) continue;
		std::vector<size_t> left;
		auto loop = loops.begin();
		for (size_t k = 0; k < ids.size(); k++) {
			while (loop != loops.end() && k >= loop->second) loop++;
			if (loop == loops.end() || k < loop->first) left.push_back(k);
		}
		std::vector<int32_t> remaining;
		for (const size_t k : left) remaining.push_back(ids[k]);
		// The loop began in the previous segment, so this one's first round is a repetition too.
		if (!loops.empty() && end <= start && remaining == kept) continue;
		kept = std::move(remaining);
		for (const size_t k : left) {
			const Token& token = segment.tokens[positions[k]];
			float from = kUnknown, to = kUnknown;
			if (!segment.times.empty()) {
				const TokenSpan span = segment.times[positions[k]];
				from = static_cast<float>(token_at = inside(span.start, token_at));
				to = static_cast<float>(token_at = inside(span.end, token_at));
			}
			result.AddToken(upstream::TokenBytes(context, token.id), token.id, from, to, token.logprob);
		}
		const int last = segment.tokens.back().id;
		const double stamp = std::round(static_cast<double>(segment.begin - segment.seek) / 2);
		result.AddSegment(start, end, segment.logprob, segment.no_speech, segment.temperature, seek,
			words.first_stamp + stamp, words.IsStamp(last) ? last : kUnknown);
	}
}

}  // namespace earshot
