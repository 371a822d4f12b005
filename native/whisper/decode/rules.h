// The rules for the next token of Whisper's decoder.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "whisper/decode/token.h"

namespace earshot {

/** The logits of one position after the rules. */
struct Distribution {
	/** Logits that the rules forbid are -infinity. */
	const float* logits;
	/** logit - log_sum = log-probability. NaN if no token is allowed. */
	float log_sum;
	/** The likeliest timestamp, its share among timestamps, and the probability of all of them. */
	int32_t stamp;
	float stamp_share, stamps;
	/** The temperature by which the logits were divided, and `log_sum` without that division. */
	float temperature = 1, plain_log_sum = 0;

	Token Choose(int32_t id) const;
};

/** The rules of OpenAI's decoding.py (SuppressBlank, SuppressTokens, ApplyTimestampRules) that whisper.cpp
 * implements. */
class Rules {
public:
	/** `never`: ids that are never generated. */
	Rules(const Vocabulary& vocabulary, std::vector<int32_t> never) : words_(vocabulary), never_(std::move(never)) {}

	/** Divides the logits after `tokens` by the temperature, unless that is 0, and applies the rules, in place.
	 * `last_stamp`: the last timestamp in `tokens`; -1 if there is none. */
	Distribution Apply(const std::vector<Token>& tokens, int32_t last_stamp, float* logits, double temperature = 0) const;

	const Vocabulary& words() const { return words_; }

private:
	const Vocabulary words_;
	const std::vector<int32_t> never_;
};

}  // namespace earshot
