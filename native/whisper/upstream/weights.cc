#include "whisper/upstream/weights.h"

#include <vector>

#include <ggml-backend.h>
#include <ggml.h>

#include "whisper/upstream/tensors.h"
#include "whisper/upstream/upstream.h"

namespace earshot::upstream {

namespace {

/** A matrix of cross-attention keys or values, which is used once per window. */
bool IsCrossAttention(const std::string& name) {
	const auto is = [&name](const char* part) { return name.find(part) != std::string::npos; };
	return is(".cross_attn.key.") || is(".cross_attn.value.");
}

/** A matrix of the decoder. Excludes the positional embedding, whose name has no such suffix. */
bool IsOfDecoder(const std::string& name, bool cross) {
	return name.starts_with("decoder.") && name.ends_with(".weight") && (cross || !IsCrossAttention(name));
}

}  // namespace

size_t QuantiseDecoder(whisper_context* context, bool cross) {
	size_t saved = 0;
	for (const auto& [name, tensor] : Tensors(context)) {
		if (IsOfDecoder(name, cross) && CanQuantise(tensor)) saved += QuantiseInPlace(tensor);
	}
	return saved;
}

std::unique_ptr<Q8Matrices> Interleave(const whisper_context* context, bool cross) {
	std::vector<const ggml_tensor*> tensors;
	for (const auto& [name, tensor] : Tensors(context)) {
		if (IsOfDecoder(name, cross) && CanInterleave(tensor) && InMemory(tensor)) tensors.push_back(tensor);
	}
	return tensors.empty() ? nullptr : std::make_unique<Q8Matrices>(tensors);
}

size_t ReleaseInterleaved(const whisper_context* context, const Q8Matrices& matrices) {
	size_t size = 0;
	for (const auto& [name, tensor] : Tensors(context)) {
		if (matrices.Find(tensor) == nullptr) continue;
		(void)ReleaseWeights(tensor);
		size += ggml_nbytes(tensor);
	}
	return size;
}

std::vector<Weight> WeightsInUse(const whisper_context* context, const Q8Matrices* matrices, bool encoder, bool cross) {
	std::vector<Weight> weights;
	for (const auto& [name, tensor] : Tensors(context)) {
		const bool is_released = (!encoder && name.starts_with("encoder.")) || (!cross && IsCrossAttention(name)) ||
			(matrices != nullptr && matrices->Find(tensor) != nullptr);
		if (!is_released && InMemory(tensor)) weights.push_back({name, tensor});
	}
	return weights;
}

void UseHugePagesForDecoder(whisper_context* context, const Q8Matrices* matrices) {
	std::vector<const ggml_tensor*> tensors;
	for (const auto& [name, tensor] : Tensors(context)) {
		// The others are not read for every token, and huge pages would allocate released ones again.
		const bool is_read = matrices == nullptr || matrices->Find(tensor) == nullptr;
		if (name.starts_with("decoder.") && !IsCrossAttention(name) && is_read) tensors.push_back(tensor);
	}
	UseHugePages(tensors);
}

size_t ReleaseEncoderWeights(whisper_context* context, bool cross) {
	size_t saved = 0;
	for (const auto& [name, tensor] : Tensors(context)) {
		if (name.starts_with("encoder.") || (cross && IsCrossAttention(name))) saved += ReleaseWeights(tensor);
	}
	return saved;
}

uint64_t WeightBytes(const whisper_context* context) {
	uint64_t bytes = 0;
	for (ggml_backend_buffer_t buffer : WeightBuffers(context)) bytes += ggml_backend_buffer_get_size(buffer);
	return bytes;
}

std::string WeightDevice(const whisper_context* context) {
	ggml_backend_buffer_t largest = nullptr;
	for (ggml_backend_buffer_t buffer : WeightBuffers(context)) {
		if (largest == nullptr || ggml_backend_buffer_get_size(buffer) > ggml_backend_buffer_get_size(largest)) {
			largest = buffer;
		}
	}
	if (largest == nullptr) return "";
	ggml_backend_dev_t device = ggml_backend_buft_get_device(ggml_backend_buffer_get_type(largest));
	// The CPU buffer type has no device.
	return device == nullptr ? "CPU" : ggml_backend_dev_name(device);
}

}  // namespace earshot::upstream
