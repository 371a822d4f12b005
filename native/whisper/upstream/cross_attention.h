// Where the decoder looks in the audio while it says a token.
#pragma once

#include <cstddef>
#include <vector>

#include <whisper.h>

#include "whisper/math/word_times.h"
#include "whisper/upstream/hooks.h"

namespace earshot::upstream {

/**
 * Reads `tokens` again and returns where the heads look for each of them. Flash attention stays on: the weights that
 * it never shows are computed beside it, for these heads alone. Empty on failure, e.g. when aborted.
 */
Attention AttendTo(whisper_context* context, DecodeHooks& hooks, const std::vector<whisper_token>& tokens,
	const std::vector<Head>& heads, size_t frames, int threads);

/** The heads that look at the word being said, as OpenAI publishes them for its models; empty for other shapes. */
std::vector<Head> AlignmentHeads(whisper_context* context);

}  // namespace earshot::upstream
