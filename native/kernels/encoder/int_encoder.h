// Whisper's encoder with integer matrix products.
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

/** Finds a tensor of the model by its name in the file, e.g. `encoder.conv1.weight`; nullptr if there is none. */
using TensorOf = std::function<const ggml_tensor*(const std::string&)>;

struct EncoderShape {
	size_t mels, positions, state, heads, layers;
	/** Layers of the decoder. */
	size_t text_layers;
};

/** The decoder's cross-attention cache: half floats, positions × state for each layer. */
struct CrossAttention {
	/** Multiplied by state_per_head^-¼, as in whisper.cpp. */
	uint16_t* keys;
	uint16_t* values;
	/** Numbers from one layer to the next. */
	size_t stride;
};

/**
 * Linear layers and attention use integer products, everything else f32. GELU is exact, as in OpenAI's Whisper. Any thread,
 * in parallel; the memory of a pass is reused by later ones.
 */
class IntEncoder {
public:
	/** Rounds the weights, those of the decoder's cross-attention to `cross`; the tensors are not needed afterwards. Fails
	 * with `model_load_failed` if one is not as expected, `engine_missing` if the processor lacks the instructions. */
	static Expected<std::shared_ptr<const IntEncoder>> Make(
		Integers integers, Integers cross, const EncoderShape& shape, const TensorOf& tensor);
	virtual ~IntEncoder() = default;

	/**
	 * `mel`: 2 × `positions` frames for each band. `out`: `positions` × state, from which `cross` is computed. `threads`
	 * includes the calling one. Ends within milliseconds once `cancel` is requested.
	 */
	virtual Expected<Done> Run(const float* mel, size_t positions, float* out, const CrossAttention& cross, int threads,
		const Cancel& cancel) const = 0;
	virtual Integers integers() const = 0;
	/** Size of the weights in memory. */
	virtual size_t bytes() const = 0;
};

}  // namespace earshot
