// Weights of a loaded Whisper model: shrinks those that the decoder reads for every token, and releases unused ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <whisper.h>

#include "kernels/q8_matrix.h"

namespace earshot::upstream {

/** Converts the decoder's f16 and f32 matrices to Q8_0. Returns the bytes released. Call it before states are created.
 * `cross`: include the matrices of cross-attention keys and values. */
size_t QuantiseDecoder(whisper_context* context, bool cross);

/** Interleaved copies of the decoder's Q8_0 matrices; null if there are none, or none usable here. `cross`: as above. */
std::unique_ptr<Q8Matrices> Interleave(const whisper_context* context, bool cross);

/** Releases the tensors that `matrices` were made from; all clips need DecodeHooks with them. Returns the bytes released. */
size_t ReleaseInterleaved(const whisper_context* context, const Q8Matrices& matrices);

struct Weight {
	std::string name;
	ggml_tensor* tensor;
};

/** Tensors in plain CPU memory that are still read, by name: not those replaced by `matrices` (may be null), those of ggml's
 * encoder only if `encoder`, those of cross-attention keys and values only if `cross`. */
std::vector<Weight> WeightsInUse(
	const whisper_context* context, const Q8Matrices* matrices, bool encoder, bool cross);

/** Backs the weights read for every token, except those replaced by `matrices`, with huge pages. Call it before states are
 * created. */
void UseHugePagesForDecoder(whisper_context* context, const Q8Matrices* matrices);

/** Releases the weights of ggml's encoder, which no state uses. `cross`: also those of cross-attention keys and values.
 * Returns the bytes released. */
size_t ReleaseEncoderWeights(whisper_context* context, bool cross);

uint64_t WeightBytes(const whisper_context* context);

/** ggml's name for the device with most of the weights. */
std::string WeightDevice(const whisper_context* context);

}  // namespace earshot::upstream
