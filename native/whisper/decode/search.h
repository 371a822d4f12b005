// Searches for the text of one window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "whisper/decode/rules.h"
#include "whisper/decode/sequence.h"

namespace earshot {

/** Whisper's decoder for one window of audio. */
class Decoder {
public:
	virtual ~Decoder() = default;
	/** Logits after the prompt, which may be changed; nullptr on failure. Forgets all sequences. */
	virtual float* Start() = 0;
	/** Decodes the last token of each and adds its cell. Returns their logits, one row after the other, valid and free to be
	 * changed until the next call; nullptr on failure. */
	virtual float* Next(const std::vector<Sequence*>& sequences) = 0;
};

struct Strategy {
	/** 0: takes the likeliest token; above: samples. */
	double temperature = 0;
	/** Sequences decoded in parallel: beams at temperature 0, otherwise candidates, of which the likeliest is used. */
	size_t width = 1;
};

/** The likeliest sequence; one that has failed only if all have. Nothing if the decoder failed. */
std::optional<Sequence> Search(Decoder& decoder, const Rules& rules, const Window& window, const Strategy& strategy,
	std::vector<std::mt19937>& generators);

}  // namespace earshot
