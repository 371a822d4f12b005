#include "whisper/decode/rules.h"

#include <algorithm>
#include <cmath>

#include "kernels/decoder/logits.h"

namespace earshot {

namespace {

/** A window's first timestamp is at most that of one second: OpenAI's max_initial_timestamp. */
constexpr int32_t kMaxInitialTimestampTokens = 50;

}  // namespace

Token Distribution::Choose(int32_t id) const {
	return {id, logits[id] - log_sum, stamp, stamp_share, stamps, logits[id] * temperature - plain_log_sum};
}

Distribution Rules::Apply(const std::vector<Token>& tokens, int32_t last_stamp, float* logits, double temperature) const {
	const auto divisor = static_cast<float>(temperature > 0 ? temperature : 1);
	if (divisor != 1) std::transform(logits, logits + words_.size, logits, [&](float each) { return each / divisor; });
	const auto forbid = [logits](int32_t from, int32_t to) {
		if (from < to) std::fill(logits + from, logits + to, -INFINITY);
	};
	const auto size = static_cast<int32_t>(words_.size);
	for (const int32_t id : never_) logits[id] = -INFINITY;
	if (tokens.empty()) {
		logits[words_.end] = logits[words_.blank] = -INFINITY;
		forbid(words_.first_stamp + kMaxInitialTimestampTokens + 1, size);
	}
	// Timestamps come in pairs, except before the end of the text.
	if (!tokens.empty() && words_.IsStamp(tokens.back().id)) {
		if (tokens.size() < 2 || words_.IsStamp(tokens[tokens.size() - 2].id)) forbid(words_.first_stamp, size);
		else forbid(0, words_.end);
	}
	forbid(words_.first_stamp, last_stamp);

	const auto texts = static_cast<size_t>(words_.first_stamp), all = words_.size;
	const float text = Greatest(logits, texts), stamp = Greatest(logits + texts, all - texts);
	const float greatest = std::max(text, stamp);
	if (!std::isfinite(greatest)) return {logits, NAN, words_.first_stamp, 0, 0, divisor, NAN};
	double of_text = SumOfExponentials(logits, texts, greatest);
	const double of_stamps = SumOfExponentials(logits + texts, all - texts, greatest);
	// If all timestamps together are likelier than any text token, only timestamps are allowed.
	const bool stamps_only = of_stamps > std::exp(static_cast<double>(text - greatest));
	if (stamps_only) {
		forbid(0, words_.first_stamp);
		of_text = 0;
	}
	const double sum = of_text + of_stamps;
	int32_t likeliest = words_.first_stamp;
	if (std::isfinite(stamp)) likeliest += static_cast<int32_t>(std::find(logits + texts, logits + all, stamp) - (logits + texts));
	const double share = of_stamps > 0 ? std::exp(static_cast<double>(stamp - greatest)) / of_stamps : 0;
	const float log_sum = greatest + static_cast<float>(std::log(sum));
	float plain = log_sum;
	if (divisor != 1) {
		double plain_sum = 0;
		for (size_t i = 0; i < all; i++) plain_sum += std::exp(static_cast<double>((logits[i] - greatest) * divisor));
		plain = greatest * divisor + static_cast<float>(std::log(plain_sum));
	}
	return {logits, log_sum, likeliest, static_cast<float>(share), static_cast<float>(of_stamps / sum), divisor, plain};
}

}  // namespace earshot
