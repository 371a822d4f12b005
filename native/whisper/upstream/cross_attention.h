// The decoder's cross-attention, for token times.
#pragma once

#include <cstddef>
#include <vector>

#include <whisper.h>

#include "whisper/math/word_times.h"
#include "whisper/upstream/hooks.h"

namespace earshot::upstream {

/**
 * Decodes `tokens` again and returns the attention weights of these heads. They are computed in addition to flash
 * attention, which does not expose them. Empty on failure, e.g. if aborted.
 */
Attention ReadAttention(
	DecodeHooks& hooks, const std::vector<whisper_token>& tokens, const std::vector<Head>& heads, size_t frames);

/** Alignment heads that OpenAI has published for models of this shape; empty if there are none. */
std::vector<Head> AlignmentHeads(whisper_context* context);

}  // namespace earshot::upstream
