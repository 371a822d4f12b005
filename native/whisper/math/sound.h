// Where a clip is loud enough to be speech, and tokens laid over it where attention does not say when they were said.
#pragma once

#include <cstddef>
#include <vector>

#include "whisper/math/word_times.h"

namespace earshot {

struct TokenShape {
	/** How long it takes to say, against the others. */
	double length;
	bool begins_word;
};

/** Where a clip is loud enough to be speech, by frames of 10 ms. */
class Sound {
public:
	Sound(const float* samples, size_t size);
	bool Any(double start, double end) const;
	/** Without the silence at both ends; as it is where all is silent. */
	TokenSpan Trim(TokenSpan span) const;
	/** Lays the tokens over the sound between `start` and `end` by their lengths, words apart at pauses. */
	std::vector<TokenSpan> Spread(const std::vector<TokenShape>& tokens, double start, double end) const;

private:
	size_t FrameOf(double seconds) const;
	/** The position in `frames` after a pause that is nearest to `border`; 0 = none near. */
	static size_t NearestPause(const std::vector<size_t>& frames, size_t border);

	std::vector<bool> sounds_;
};

}  // namespace earshot
