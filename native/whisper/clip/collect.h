// Converts whisper.cpp's segments of a clip.
#pragma once

#include "core/clip.h"
#include "core/result.h"
#include "whisper/clip/decode_run.h"

namespace earshot {

/** Adds the run's segments and tokens to `result`, without repetitions. `padded`: `given` with silence appended, which was
 * transcribed. */
void Collect(const DecodeRun& run, const Clip& given, const Clip& padded, RawResult& result);

}  // namespace earshot
