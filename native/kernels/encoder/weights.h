// Weights of Whisper's encoder, rounded to integers.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/integers.h"
#include "kernels/encoder/int_encoder.h"
#include "kernels/encoder/rows.h"
#include "kernels/int_matrix.h"

namespace earshot::encoder {

struct Norm {
	std::vector<float> weight, bias;
	void operator()(const float* row, float* out) const {
		Normalise(row, weight.size(), weight.data(), bias.data(), out);
	}
};

/** Cross-attention of one decoder layer, whose input the encoder computes. */
struct CrossLayer {
	IntMatrix key, value;
};

struct Layer {
	Norm attention_norm;
	IntMatrix query, key, value, attended;
	Norm mlp_norm;
	IntMatrix up, down;
};

/** Thrown for a tensor that is missing, not in memory or of another shape. */
struct UnexpectedTensor {
	std::string name, why;
};

/** Read by all passes in parallel. */
struct EncoderWeights {
	/** Throws UnexpectedTensor. */
	EncoderWeights(Integers integers, Integers cross, const EncoderShape& shape, const TensorOf& tensor);
	size_t bytes() const;

	const Integers integers, cross;
	const EncoderShape shape;
	/** Numbers per head. */
	const size_t width;
	const Blocks by_mel, by_state, by_hidden, by_head, by_cross;
	/** Convolutions. */
	IntMatrix first, second;
	std::vector<float> position_embedding;
	Norm last_norm;
	std::vector<Layer> layers;
	std::vector<CrossLayer> cross_layers;
};

}  // namespace earshot::encoder
