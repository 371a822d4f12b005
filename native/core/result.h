// The result of a clip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/failure.h"

namespace earshot {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

/** As declared in binding.d.ts. Times are seconds from the clip's start. */
struct RawResult {
	struct Segment {
		double token_end, start, end, logprob, no_speech, temperature, seek, begin_token, end_token;
	};
	static constexpr size_t kSegmentFields = sizeof(Segment) / sizeof(double);  // SEGMENT_FIELDS
	static_assert(kSegmentFields == 9);

	std::string bytes;
	std::vector<uint32_t> token_ends;
	std::vector<int32_t> token_ids;
	std::vector<float> token_times;
	std::vector<float> token_logprobs;
	std::vector<Segment> segments;
	std::vector<double> removed_repetitions;
	/** Tokens computed by Whisper's decoder; 0 for other libraries. */
	size_t decoded_tokens = 0;
	std::string text, language, emotion, event;

	void AddToken(std::string_view token, int32_t id, float start, float end, float logprob);
	void AddSegment(double start, double end, double logprob, double no_speech, double temperature, double seek = 0,
		double begin_token = kUnknown, double end_token = kUnknown);
};

inline void RawResult::AddToken(std::string_view token, int32_t id, float start, float end, float logprob) {
	bytes.append(token);
	token_ends.push_back(static_cast<uint32_t>(bytes.size()));
	token_ids.push_back(id);
	token_times.push_back(start);
	token_times.push_back(end);
	token_logprobs.push_back(logprob);
}

/** Closes a segment after the tokens added so far. */
inline void RawResult::AddSegment(double start, double end, double logprob, double no_speech, double temperature,
	double seek, double begin_token, double end_token) {
	segments.push_back({static_cast<double>(token_ends.size()), start, end, logprob, no_speech, temperature, seek,
		begin_token, end_token});
}

/** Receives the result of the n-th clip of a batch, once for each. Any thread. Must not block or throw. */
using OnResult = std::function<void(size_t, Expected<RawResult>)>;

}  // namespace earshot
