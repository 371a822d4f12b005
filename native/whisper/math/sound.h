// Token times from audio energy, for models without known alignment heads.
#pragma once

#include <cstddef>
#include <vector>

#include "whisper/math/word_times.h"

namespace earshot {

struct TokenShape {
	/** Relative duration. */
	double length;
	bool begins_word;
};

/** Which frames of 10 ms are loud enough to be speech. */
class Sound {
public:
	Sound(const float* samples, size_t size);
	/** Whether any frame between the two times is loud. */
	bool Any(double start, double end) const;
	/** Removes silence at both ends; unchanged if all is silent. */
	TokenSpan Trim(TokenSpan span) const;
	/** Distributes the tokens over the loud frames between `start` and `end` by their lengths; words part at pauses. */
	std::vector<TokenSpan> Spread(const std::vector<TokenShape>& tokens, double start, double end) const;

private:
	size_t FrameOf(double seconds) const;
	/** The position in `frames` after the pause nearest to `border`; 0 = none nearby. */
	static size_t NearestPause(const std::vector<size_t>& frames, size_t border);

	std::vector<bool> sounds_;
};

}  // namespace earshot
