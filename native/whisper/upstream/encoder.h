// Encoders of ours in the place of whisper.cpp's own.
#pragma once

#include <memory>
#include <vector>

#include <whisper.h>

#include "core/failure.h"
#include "core/integers.h"
#include "kernels/encoder/int_encoder.h"

namespace earshot::ort {
class Session;
}

namespace earshot::upstream {

/** From now on the state's windows are encoded by the first session with as many threads as the clip has, or the
 * last. */
Expected<Done> SetEncoders(whisper_state* state, const std::vector<std::shared_ptr<const ort::Session>>& sessions);

/** Of the weights in the memory of the processor. What the decoder reads of it loses what 8 bits lose only where the
 * `decoder`, too, is in 8 bits: it is read anew for each token. */
Expected<std::shared_ptr<const IntEncoder>> MakeIntEncoder(
	whisper_context* context, Integers integers, Integers decoder);
/** From now on the state's windows are encoded by this one. */
void SetEncoder(whisper_state* state, std::shared_ptr<const IntEncoder> encoder);

}  // namespace earshot::upstream
