// A decoded segment of a clip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "whisper/decode/token.h"
#include "whisper/math/word_times.h"

namespace earshot {

/** Text between two timestamps. Times are hundredths of a second from the clip's start. */
struct Segment {
	int64_t begin, end;
	/** Includes timestamps and the end of the text. */
	std::vector<Token> tokens;
	/** Of the window that the segment comes from: its start, average log-probability (NaN if unknown) and temperature. */
	int seek;
	double logprob, temperature;
	float no_speech;
	/** One for each token, in seconds; empty unless aligned. */
	std::vector<TokenSpan> times;
};

}  // namespace earshot
