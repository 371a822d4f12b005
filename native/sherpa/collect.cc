#include "sherpa/collect.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "sherpa/config.h"

namespace earshot::sherpa {

namespace {

/** `<|zh|>` → `zh` */
std::string Unbracketed(const char* text) {
	std::string_view view = text == nullptr ? "" : text;
	if (view.starts_with("<|") && view.ends_with("|>") && view.size() >= 4) view = view.substr(2, view.size() - 4);
	return std::string(view);
}

}  // namespace

RawResult Collect(const Result& raw, const Clip& clip) {
	RawResult result;
	const std::string_view text = raw.text == nullptr ? "" : raw.text;
	result.language = Unbracketed(raw.lang);
	result.emotion = Unbracketed(raw.emotion);
	result.event = Unbracketed(raw.event);
	const auto end_of_clip = static_cast<float>(clip.Seconds());
	const auto inside = [&](float seconds) { return std::clamp(seconds, 0.0F, end_of_clip); };
	if (raw.segment_count > 0 && raw.segment_texts_arr != nullptr && raw.segment_timestamps != nullptr &&
		raw.segment_durations != nullptr) {
		// Tokens cannot be assigned to segments, so each segment becomes one token.
		for (int32_t i = 0; i < raw.segment_count; i++) {
			if (raw.segment_texts_arr[i] == nullptr) continue;
			const float start = inside(raw.segment_timestamps[i]);
			const float end = std::max(start, inside(raw.segment_timestamps[i] + raw.segment_durations[i]));
			result.AddToken(raw.segment_texts_arr[i], -1, start, end, kUnknown);
			result.AddSegment(start, end, kUnknown, kUnknown, kUnknown);
		}
		return result;
	}
	double logprobs = 0;
	for (int32_t i = 0; raw.tokens_arr != nullptr && i < raw.count; i++) {
		if (raw.tokens_arr[i] == nullptr) continue;
		float start = kUnknown, end = kUnknown;
		if (raw.timestamps != nullptr) start = inside(raw.timestamps[i]);
		if (raw.timestamps != nullptr && raw.durations != nullptr) {
			end = std::max(start, inside(raw.timestamps[i] + raw.durations[i]));
		}
		const float logprob = raw.ys_log_probs == nullptr ? kUnknown : raw.ys_log_probs[i];
		logprobs += logprob;
		const int byte = ByteOf(raw.tokens_arr[i]);
		const auto character = static_cast<char>(byte);
		result.AddToken(
			byte < 0 ? std::string_view(raw.tokens_arr[i]) : std::string_view(&character, 1), -1, start, end, logprob);
	}
	if (Trimmed(text) != Trimmed(result.bytes)) result.text = text;
	if (!text.empty() || !result.bytes.empty()) {
		const auto count = static_cast<double>(result.token_ends.size());
		result.AddSegment(0, end_of_clip, count > 0 ? logprobs / count : kUnknown, kUnknown, kUnknown);
	}
	return result;
}

}  // namespace earshot::sherpa
