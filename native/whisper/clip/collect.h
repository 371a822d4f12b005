// What whisper.cpp has made of a clip, as a result.
#pragma once

#include "core/clip.h"
#include "core/result.h"
#include "whisper/clip/decode_run.h"

namespace earshot {

/** Adds the run's segments and tokens to `result`, without what repeats itself. `padded`: what was transcribed, which is
 * `given` with silence behind it. */
void Collect(const DecodeRun& run, const Clip& given, const Clip& padded, RawResult& result);

}  // namespace earshot
