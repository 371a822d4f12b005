// Networks on ONNX Runtime as JavaScript holds them.
#pragma once

#include <memory>

#include "ort/ort.h"

namespace earshot {

/** What `loadEncoder` and `loadSpeechNetwork` hand out; an encoder is empty once a model has taken it. */
using Session = std::shared_ptr<const ort::Session>;

}  // namespace earshot
