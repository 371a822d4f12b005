// Weights of a loaded Whisper model: what the decoder reads for every token made smaller, and what nothing reads given
// back to the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <whisper.h>

#include "kernels/q8_matrix.h"

namespace earshot::upstream {

/** The matrices that the decoder multiplies with, of f16 or f32, become Q8_0. Returns the bytes given back to the system;
 * 0 = there was none. Before any state is made. `cross`: those for what cross-attention reads, too. */
size_t QuantiseDecoder(whisper_context* context, bool cross);

/** Of the decoder's matrices of Q8_0; nullptr where there are none or the processor gains nothing. `cross`: as above. */
std::unique_ptr<const Q8Matrices> Interleave(const whisper_context* context, bool cross);

/** Of a model whose clips all have DecodeHooks with those matrices: what they are made of. Returns the bytes given back. */
size_t ReleaseInterleaved(const whisper_context* context, const Q8Matrices& matrices);

/** What a token reads. `matrices`: what stands for some of it, or nullptr. Before any state is made. */
void SpeedUpDecoder(whisper_context* context, const Q8Matrices* matrices);

/** Of a model whose states all have encoders of their own: ggml's weights for it, and where the encoder makes them those
 * for what cross-attention reads. Returns the bytes given back. */
size_t ReleaseEncoderWeights(whisper_context* context, bool cross);

uint64_t WeightBytes(const whisper_context* context);

/** ggml's name of the device that most of the weights are on. */
std::string WeightDevice(const whisper_context* context);

}  // namespace earshot::upstream
