// Converts sherpa-onnx's result of a whole clip.
#pragma once

#include "core/clip.h"
#include "core/result.h"
#include "sherpa/api.h"

namespace earshot::sherpa {

RawResult Collect(const Result& raw, const Clip& clip);

}  // namespace earshot::sherpa
