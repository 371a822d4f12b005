// The settable fields of an offline recognizer's configuration.
#pragma once

#include "sherpa/config.h"

namespace earshot::sherpa {

/** By dotted path. */
const Fields& RecognizerFields();

}  // namespace earshot::sherpa
