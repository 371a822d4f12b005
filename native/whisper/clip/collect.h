// Converts the segments of a clip.
#pragma once

#include <string>
#include <vector>

#include <whisper.h>

#include "core/clip.h"
#include "core/result.h"
#include "whisper/decode/segment.h"

namespace earshot {

/** Adds segments and their tokens to `result`, without repetitions. `padded`: `given` with silence appended, which was
 * transcribed. `no_speech_threshold`: of the probability above which a short rest has no text. */
void Collect(const whisper_context* context, const Vocabulary& words, const std::vector<Segment>& segments, const Clip& given,
	const Clip& padded, float no_speech_threshold, RawResult& result);

}  // namespace earshot
