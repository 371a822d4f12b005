// Sessions of ONNX Runtime as JavaScript objects.
#pragma once

#include <memory>

#include <napi.h>

#include "ort/ort.h"

namespace earshot {

/** What `loadEncoder` and `loadSpeechNetwork` return; null once a model has taken ownership. */
using Session = std::shared_ptr<const ort::Session>;

enum class SessionKind { kEncoder, kSpeechNetwork };

/** The session in a value returned by the function of this kind; nullptr for any other value. */
Session* SessionIn(Napi::Value value, SessionKind kind);

}  // namespace earshot
