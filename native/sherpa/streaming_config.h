// The settable fields of a streaming recognizer's configuration.
#pragma once

#include "sherpa/config.h"

namespace earshot::sherpa {

/** By dotted path. */
const Fields& StreamingFields();

}  // namespace earshot::sherpa
