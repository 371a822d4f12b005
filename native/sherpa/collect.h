// What sherpa-onnx has made of a whole clip, as a result.
#pragma once

#include "core/clip.h"
#include "core/result.h"
#include "sherpa/api.h"

namespace earshot::sherpa {

RawResult Collect(const Result& raw, const Clip& clip);

}  // namespace earshot::sherpa
