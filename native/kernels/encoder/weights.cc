#include "kernels/encoder/weights.h"

#include <cstring>

#include <ggml-backend.h>
#include <ggml.h>

#include "kernels/vectors.h"

#ifdef EARSHOT_VECTORS

namespace earshot::encoder {

namespace {

/** Frames per convolution. */
constexpr size_t kKernel = 3;

/** Reads tensors of any type; throws UnexpectedTensor. */
class Reader {
public:
	explicit Reader(const TensorOf& tensor) : tensor_(tensor) {}

	std::vector<float> Vector(const std::string& name, size_t count) const {
		const ggml_tensor* tensor = Find(name, count);
		std::vector<float> numbers(count);
		Read(tensor, 0, numbers.data(), count);
		return numbers;
	}

	Norm NormOf(const std::string& part, size_t width) const {
		return {Vector(part + ".weight", width), Vector(part + ".bias", width)};
	}

	IntMatrix Linear(Integers integers, const std::string& part, size_t from, size_t to, bool biased = true) const {
		const ggml_tensor* tensor = Find(part + ".weight", from * to);
		const auto row = [&](size_t n, float* numbers) { Read(tensor, n * from, numbers, from); };
		const std::vector<float> bias = biased ? Vector(part + ".bias", to) : std::vector<float>();
		return IntMatrix(integers, to, 1, Blocks(integers, from), row, biased ? bias.data() : nullptr);
	}

	/** Reorders the weights from bands × frames, as in the file, to frames × bands. */
	IntMatrix Convolution(Integers integers, const std::string& part, size_t from, size_t to) const {
		const ggml_tensor* tensor = Find(part + ".weight", kKernel * from * to);
		std::vector<float> stored(kKernel * from);
		const auto row = [&](size_t n, float* numbers) {
			Read(tensor, n * stored.size(), stored.data(), stored.size());
			for (size_t frame = 0; frame < kKernel; frame++) {
				for (size_t band = 0; band < from; band++) numbers[frame * from + band] = stored[band * kKernel + frame];
			}
		};
		const std::vector<float> bias = Vector(part + ".bias", to);
		return IntMatrix(integers, to, kKernel, Blocks(integers, from), row, bias.data());
	}

private:
	const ggml_tensor* Find(const std::string& name, size_t count) const {
		const ggml_tensor* tensor = tensor_(name);
		if (tensor == nullptr) throw UnexpectedTensor{name, "there is none"};
		if (tensor->data == nullptr || tensor->buffer == nullptr) throw UnexpectedTensor{name, "it has no data"};
		if (!ggml_backend_buffer_is_host(tensor->buffer)) {
			throw UnexpectedTensor{name, std::string("it is on ") + ggml_backend_buffer_name(tensor->buffer)};
		}
		const bool readable =
			tensor->type == GGML_TYPE_F32 || ggml_get_type_traits(tensor->type)->to_float != nullptr;
		if (!readable) throw UnexpectedTensor{name, std::string("it is of ") + ggml_type_name(tensor->type)};
		if (static_cast<size_t>(ggml_nelements(tensor)) != count || !ggml_is_contiguous(tensor)) {
			throw UnexpectedTensor{name, "its shape is another"};
		}
		return tensor;
	}

	/** Dequantises; `first` and `count` are multiples of a quantisation block, since whole rows are read. */
	static void Read(const ggml_tensor* tensor, size_t first, float* numbers, size_t count) {
		const char* from = static_cast<const char*>(tensor->data) + ggml_row_size(tensor->type, static_cast<int64_t>(first));
		if (tensor->type == GGML_TYPE_F32) std::memcpy(numbers, from, count * sizeof(float));
		else ggml_get_type_traits(tensor->type)->to_float(from, numbers, static_cast<int64_t>(count));
	}

	const TensorOf& tensor_;
};

}  // namespace

EncoderWeights::EncoderWeights(Integers integers, Integers cross, const EncoderShape& shape, const TensorOf& tensor)
	: integers(integers), cross(cross), shape(shape), width(shape.state / shape.heads), by_mel(integers, shape.mels),
	  by_state(integers, shape.state), by_hidden(integers, 4 * shape.state), by_head(Integers::k16, width),
	  by_cross(cross, shape.state), first(Reader(tensor).Convolution(integers, "encoder.conv1", shape.mels, shape.state)),
	  second(Reader(tensor).Convolution(integers, "encoder.conv2", shape.state, shape.state)),
	  position_embedding(Reader(tensor).Vector("encoder.positional_embedding", shape.positions * shape.state)),
	  last_norm(Reader(tensor).NormOf("encoder.ln_post", shape.state)) {
	const Reader weights(tensor);
	const size_t state = shape.state;
	for (size_t layer = 0; layer < shape.layers; layer++) {
		const std::string part = "encoder.blocks." + std::to_string(layer);
		layers.push_back(Layer{
			.attention_norm = weights.NormOf(part + ".attn_ln", state),
			.query = weights.Linear(integers, part + ".attn.query", state, state),
			.key = weights.Linear(integers, part + ".attn.key", state, state, false),
			.value = weights.Linear(integers, part + ".attn.value", state, state),
			.attended = weights.Linear(integers, part + ".attn.out", state, state),
			.mlp_norm = weights.NormOf(part + ".mlp_ln", state),
			.up = weights.Linear(integers, part + ".mlp.0", state, 4 * state),
			.down = weights.Linear(integers, part + ".mlp.2", 4 * state, state),
		});
	}
	for (size_t layer = 0; layer < shape.text_layers; layer++) {
		const std::string part = "decoder.blocks." + std::to_string(layer) + ".cross_attn";
		cross_layers.push_back(CrossLayer{
			.key = weights.Linear(cross, part + ".key", state, state, false),
			.value = weights.Linear(cross, part + ".value", state, state),
		});
	}
}

size_t EncoderWeights::bytes() const {
	size_t sum = first.bytes() + second.bytes() + position_embedding.size() * sizeof(float);
	for (const Layer& layer : layers) {
		for (const IntMatrix* matrix :
			{&layer.query, &layer.key, &layer.value, &layer.attended, &layer.up, &layer.down}) {
			sum += matrix->bytes();
		}
	}
	for (const CrossLayer& cross : cross_layers) sum += cross.key.bytes() + cross.value.bytes();
	return sum;
}

}  // namespace earshot::encoder

#endif
