// One step of whisper.cpp's decoder, on given cells of its cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <whisper.h>

#include "whisper/upstream/hooks.h"

namespace earshot::upstream {

/** Tokens that are decoded together. */
struct DecoderStep {
	struct Row {
		whisper_token token;
		int position;
		/** Cells of the self-attention cache that it attends to, beside its own, which is `first_cell` and its index. */
		std::vector<uint32_t> cells;
	};
	std::vector<Row> rows;
	uint32_t first_cell = 0;
	/** Rows whose logits are wanted, in ascending order. */
	std::vector<size_t> wanted;
};

/** Decodes within DecodeHooks. Returns the logits of the wanted rows, valid and free to be changed until the next step;
 * nullptr on failure, e.g. if aborted. */
float* Decode(DecodeHooks& hooks, const DecoderStep& step);

/** Grows the self-attention cache to at least `cells` cells; its contents are lost if it grows. False if there is no
 * memory. */
bool ReserveCells(whisper_context* context, whisper_state* state, uint32_t cells);

/** Encodes the window of the spectrogram that begins at `seek` hundredths of a second; false on failure. */
bool EncodeWindow(DecodeHooks& hooks, int seek);

}  // namespace earshot::upstream
