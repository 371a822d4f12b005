#include "whisper/clip/align.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "whisper/upstream/cross_attention.h"
#include "whisper/upstream/upstream.h"

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

}  // namespace

void Aligner::Align(std::vector<Segment>& segments, size_t first, bool is_more) {
	if (first >= segments.size() || hooks_.cancel_.Requested()) return;
	std::vector<int32_t> text;
	for (size_t i = first; i < segments.size(); i++) {
		segments[i].times.assign(segments[i].tokens.size(), TokenSpan{0, 0});
		for (const Token& token : segments[i].tokens) {
			if (words_.IsText(token.id)) text.push_back(token.id);
		}
	}
	const double seek = std::min(static_cast<double>(segments[first].seek) / 100, clip_.Seconds());
	// Later audio belongs to the next window.
	const double ends = static_cast<double>(segments.back().end) / 100;
	const double until = is_more ? std::clamp(ends + kEndSlackSeconds, seek, clip_.Seconds()) : clip_.Seconds();
	const std::vector<TokenSpan> aligned = Attend(text, seek, until);
	std::vector<TokenSpan*> spans;
	for (size_t i = first; i < segments.size(); i++) {
		if (aligned.empty()) Spread(segments[i]);
		for (size_t k = 0; k < segments[i].tokens.size(); k++) {
			if (!words_.IsText(segments[i].tokens[k].id)) continue;
			if (!aligned.empty()) segments[i].times[k] = sound_.Trim(aligned[spans.size()]);
			spans.push_back(&segments[i].times[k]);
		}
	}
	KeepApart(spans, seek, until);
}

std::vector<TokenSpan> Aligner::Attend(const std::vector<int32_t>& text, double seek, double until) {
	if (heads_.empty() || text.empty()) return {};
	std::vector<int32_t> tokens = task_;
	const size_t first_row = tokens.size();
	tokens.push_back(whisper_token_not(hooks_.context_));
	tokens.insert(tokens.end(), text.begin(), text.end());
	tokens.push_back(words_.end);
	if (tokens.size() > static_cast<size_t>(whisper_model_n_text_ctx(hooks_.context_))) return {};
	const double seconds = std::clamp(until - seek, 0.02, 30.0);
	const auto frames = static_cast<size_t>(std::ceil(seconds * 50));
	std::vector<TokenSpan> spans =
		AlignByAttention(upstream::ReadAttention(hooks_, tokens, heads_, frames), first_row, text.size());
	for (TokenSpan& span : spans) span = {span.start + seek, span.end + seek};
	return spans;
}

void Aligner::Spread(Segment& segment) const {
	const double limit = clip_.Seconds();
	const auto seconds = [&](int64_t centiseconds) {
		return std::clamp(static_cast<double>(centiseconds) / 100, 0.0, limit);
	};
	const double end = seconds(segment.end);
	double start = std::min(end, seconds(segment.begin));
	const double seek = static_cast<double>(segment.seek) / 100;
	std::vector<TokenShape> shapes;
	std::vector<size_t> members;
	const auto flush = [&](double until) {
		const std::vector<TokenSpan> laid = sound_.Spread(shapes, start, until);
		for (size_t k = 0; k < members.size(); k++) segment.times[members[k]] = laid[k];
		shapes.clear();
		members.clear();
		start = until;
	};
	for (size_t k = 0; k < segment.tokens.size(); k++) {
		const Token& token = segment.tokens[k];
		if (!words_.IsText(token.id)) continue;
		const std::string_view text = upstream::TokenBytes(hooks_.context_, token.id);
		const bool begins = !text.empty() && text.front() == ' ';
		const double at = seek + 0.02 * (token.stamp - words_.first_stamp);
		const bool likely = token.stamp_share > kMinTimestampProbability && token.stamps > kMinTimestampProbability &&
			token.stamp > words_.first_stamp;
		if (begins && !members.empty() && likely && at > start && at < end && sound_.Any(start, at) &&
			sound_.Any(at, end)) {
			flush(at);
		}
		shapes.push_back({LengthOf(text), begins});
		members.push_back(k);
	}
	if (!members.empty()) flush(end);
}

}  // namespace earshot
