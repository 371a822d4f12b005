#include "whisper/decode/sequence.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "whisper/math/repetition.h"

namespace earshot {

namespace {

/** Number of last tokens whose entropy is computed, as in whisper.cpp. */
constexpr size_t kEntropyTokens = 32;

/** Whether the text after the last timestamp ends in a loop. */
bool Loops(const std::vector<Token>& tokens, const Vocabulary& words) {
	std::vector<int32_t> text;
	for (size_t i = tokens.size(); i > 0 && !words.IsStamp(tokens[i - 1].id); i--) text.push_back(tokens[i - 1].id);
	std::reverse(text.begin(), text.end());
	return EndsInLoop(text.data(), text.size());
}

}  // namespace

void Sequence::Add(const Token& token, const Vocabulary& words, const Window& window) {
	tokens.push_back(token);
	sum += static_cast<double>(token.logprob);
	plain_sum += static_cast<double>(token.plain_logprob);
	if (token.id > words.first_stamp) {
		last_stamp = token.id;
		advance = 2 * (token.id - words.first_stamp);
		kept = tokens.size();
	}
	if (token.id == words.end || (last_stamp >= 0 && window.EndsAt(advance))) {
		state = State::kEnded;
		if (!window.stamps) {
			kept = tokens.size();
			advance = Window::kLength;
		} else if (kept == 0) {
			if (window.EndsAt(advance)) kept = tokens.size();
			else state = State::kFailed;
		}
		return;
	}
	loops = Loops(tokens, words);
	// All allowed tokens were used for less than half of the window.
	const bool stuck = tokens.size() >= window.max_tokens && (kept == 0 || advance < Window::kLength / 2);
	if (loops || stuck) state = State::kFailed;
}

size_t Sequence::SpokenTokens(const Vocabulary& words) const {
	return tokens.size() - (!tokens.empty() && tokens.back().id == words.end ? 1 : 0);
}

double Sequence::Average(const Vocabulary& words) const { return sum / static_cast<double>(SpokenTokens(words) + 1); }

double Sequence::PlainAverage(const Vocabulary& words) const { return plain_sum / static_cast<double>(SpokenTokens(words) + 1); }

double Sequence::Score(const Vocabulary& words) const {
	return sum / static_cast<double>(std::max<size_t>(SpokenTokens(words), 1));
}

double Sequence::Entropy() const {
	std::map<int32_t, int> counts;
	const size_t count = std::min(kept, kEntropyTokens);
	for (size_t i = kept - count; i < kept; i++) counts[tokens[i].id]++;
	double entropy = 0;
	for (const auto& [id, times] : counts) {
		const double share = static_cast<double>(times) / static_cast<double>(count);
		entropy -= share * std::log(share);
	}
	return entropy;
}

}  // namespace earshot
