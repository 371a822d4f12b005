// One candidate text of a window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "whisper/decode/token.h"

namespace earshot {

/** The position of a window in its clip, in hundredths of a second, and the maximum number of tokens for it. */
struct Window {
	int seek = 0, end = 0;
	size_t max_tokens = 0;
	/** False for models that write no timestamps. */
	bool stamps = true;

	/** Whisper's window. */
	static constexpr int kLength = 3000;
	/** A shorter rest is not transcribed. */
	static constexpr int kMinRestFrames = 10;
	/** Whether less than that is left after `seek + delta`. */
	bool EndsAt(int delta) const { return seek + delta + kMinRestFrames >= end; }
};

struct Sequence {
	enum class State { kLive, kEnded, kFailed };

	std::vector<Token> tokens;
	/** Cells of its tokens in the decoder's cache, without the prompt's. */
	std::vector<uint32_t> cells;
	/** Sums of the log-probabilities of all tokens, at their temperature and at 1. */
	double sum = 0, plain_sum = 0;
	State state = State::kLive;
	/** Length up to and with the last timestamp, or of all if the text ends without one. */
	size_t kept = 0;
	/** The last timestamp other than <|0.00|>, or -1. */
	int32_t last_stamp = -1;
	/** Where the next window begins, in hundredths of a second after this one. */
	int advance = Window::kLength;
	/** Whether it was ended for repeating itself. */
	bool loops = false;

	/** Adds a token, and decides whether it ends the sequence. */
	void Add(const Token& token, const Vocabulary& words, const Window& window);
	/** Tokens without the end of the text. */
	size_t SpokenTokens(const Vocabulary& words) const;
	/** Average log-probability as in OpenAI's decoding.py: the end of the text counts as a token. Average is at the
	 * temperature, which whisper.cpp compares with its threshold; PlainAverage at 1, which OpenAI reports. */
	double Average(const Vocabulary& words) const;
	double PlainAverage(const Vocabulary& words) const;
	/** OpenAI's ranking of candidates: the sum divided by the number of tokens. */
	double Score(const Vocabulary& words) const;
	/** Entropy of the last tokens that are kept: low if they repeat themselves. */
	double Entropy() const;
};

}  // namespace earshot
