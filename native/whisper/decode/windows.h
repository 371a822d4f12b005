// Decodes a clip window by window, each at rising temperatures until the result passes.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "whisper/decode/cached_decoder.h"
#include "whisper/decode/rules.h"
#include "whisper/decode/segment.h"

namespace earshot {

struct DecodePlan {
	/** The previous text, and the tokens that begin each window: <|startoftranscript|>, language and task. */
	std::vector<int32_t> prompt, task;
	/** Maximum tokens of a text; a prompt may have three more. */
	size_t max_tokens = 0, max_prompt = 0;
	bool stamps = true;
	/** The clip's end in hundredths of a second. */
	int end = 0;
	double temperature = 0;
	/** 0: no other temperature is tried. */
	double temperature_increment = 0;
	size_t beams = 1, candidates = 1;
	/** A decode whose average log-probability is below the first fails, unless its no-speech probability is above the
	 * second: then there is no text. */
	double logprob_threshold = -1, no_speech_threshold = 0.6;
};

/** Called after each window with the number of segments before it, and whether another one follows. */
using OnWindow = std::function<void(size_t first, bool is_more)>;

/** Adds to `segments`. False if the decoder failed or was aborted. */
bool DecodeWindows(CachedDecoder& decoder, const Rules& rules, const DecodePlan& plan, std::vector<Segment>& segments,
	const OnWindow& on_window);

/** Divides a window's tokens into segments. Returns the distance to the next window, in hundredths of a second. */
int Split(const Sequence& decoded, const Vocabulary& words, const Window& window, const Segment& of_window,
	std::vector<Segment>& segments);

}  // namespace earshot
