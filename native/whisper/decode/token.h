// A token chosen by the decoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace earshot {

struct Token {
	int32_t id;
	/** Natural logarithm of its probability after the rules, at the temperature of its decode. */
	float logprob;
	/** The likeliest timestamp at its position, with its share among the timestamps and the total probability of
	 * timestamps. */
	int32_t stamp;
	float stamp_share = 0, stamps = 0;
	/** Like `logprob`, at temperature 1. */
	float plain_logprob = 0;
};

/** Ids of a model's vocabulary. */
struct Vocabulary {
	size_t size = 0;
	int32_t end = 0, start = 0, previous = 0, no_speech = 0, blank = 0;
	/** <|0.00|>; all later ids are timestamps, 20 ms apart. */
	int32_t first_stamp = 0;

	bool IsStamp(int32_t id) const { return id >= first_stamp; }
	bool IsText(int32_t id) const { return id < end; }
};

}  // namespace earshot
