// Encoders that replace whisper.cpp's own.
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

/** Makes the state use the first session with at least as many threads as the clip, or else the last. */
Expected<Done> SetEncoders(whisper_state* state, const std::vector<std::shared_ptr<const ort::Session>>& sessions);

/** From weights in CPU memory. `decoder`: width of the decoder's weights; the cross-attention cache is computed in 8 bits
 * only if both are, since the decoder reads it for every token. */
Expected<std::shared_ptr<const IntEncoder>> MakeIntEncoder(
	whisper_context* context, Integers integers, Integers decoder);
/** Makes the state use this encoder. */
void SetEncoder(whisper_state* state, std::shared_ptr<const IntEncoder> encoder);

}  // namespace earshot::upstream
