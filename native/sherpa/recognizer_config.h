// The configuration of a recognizer of whole clips.
#pragma once

#include "sherpa/config.h"

namespace earshot::sherpa {

/** Every field of RecognizerConfig that may be set, by its path. */
const Fields& RecognizerFields();

}  // namespace earshot::sherpa
