// Sessions of ONNX Runtime as JavaScript objects.
#pragma once

#include <memory>

#include "ort/ort.h"

namespace earshot {

/** What `loadEncoder` and `loadSpeechNetwork` return; null once a model has taken ownership. */
using Session = std::shared_ptr<const ort::Session>;

}  // namespace earshot
