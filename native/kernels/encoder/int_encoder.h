// Whisper's encoder, multiplied in integers.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "core/cancel.h"
#include "core/failure.h"
#include "core/integers.h"
#include "kernels/int_matrix.h"

struct ggml_tensor;

namespace earshot {

/** A tensor of the model by its name in the file, e.g. `encoder.conv1.weight`; nullptr for none. */
using TensorOf = std::function<const ggml_tensor*(const std::string&)>;

struct EncoderShape {
	size_t mels, positions, state, heads, layers;
	/** Of the decoder. */
	size_t text_layers;
};

/** What the decoder's cross-attention reads, in half floats: for each of its layers positions × state. */
struct CrossAttention {
	/** Times state_per_head^-¼, as whisper.cpp has them. */
	uint16_t* keys;
	uint16_t* values;
	/** Numbers from one layer to the next. */
	size_t stride;
};

/**
 * Linear layers and attention are multiplied in integers, everything else is done in f32. GELU is the exact one, as
 * OpenAI's. Any number of threads run it at once; the memory of a pass is kept for later ones.
 */
class IntEncoder {
public:
	/** Rounds the weights, those of the decoder's cross-attention to `cross`, and does not need their tensors after.
	 * `model_load_failed` where one is not as expected, `engine_missing` where the processor lacks the instructions. */
	static Expected<std::shared_ptr<const IntEncoder>> Make(
		Integers integers, Integers cross, const EncoderShape& shape, const TensorOf& tensor);
	virtual ~IntEncoder() = default;

	/**
	 * `mel`: for each band 2 × `positions` frames. `out`: `positions` × state, from which `cross` is made. Of `threads`,
	 * the calling one is one. Ends within some milliseconds once `cancel` is requested.
	 */
	virtual Expected<Done> Run(const float* mel, size_t positions, float* out, const CrossAttention& cross, int threads,
		const Cancel& cancel) const = 0;
	virtual Integers integers() const = 0;
	/** Of the weights in memory. */
	virtual size_t bytes() const = 0;
};

}  // namespace earshot
