#include "whisper/upstream/tensors.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include <ggml-backend.h>
#include <ggml.h>

#include "platform/platform.h"

namespace earshot {

bool InMemory(const ggml_tensor* tensor) {
	return tensor->data != nullptr && tensor->buffer != nullptr && ggml_backend_buffer_is_host(tensor->buffer);
}

bool CanQuantise(const ggml_tensor* tensor) {
	return (tensor->type == GGML_TYPE_F16 || tensor->type == GGML_TYPE_F32) && ggml_n_dims(tensor) == 2 &&
		tensor->ne[0] % ggml_blck_size(GGML_TYPE_Q8_0) == 0 && ggml_is_contiguous(tensor) && InMemory(tensor);
}

size_t QuantiseInPlace(ggml_tensor* tensor) {
	const int64_t columns = tensor->ne[0], rows = tensor->ne[1];
	const size_t row_before = tensor->nb[1], row_now = ggml_row_size(GGML_TYPE_Q8_0, columns);
	auto* data = static_cast<char*>(tensor->data);
	const auto count = static_cast<size_t>(columns);
	std::vector<float> numbers(count);
	std::vector<char> quantised(row_now);
	const ggml_to_float_t to_float = ggml_get_type_traits(tensor->type)->to_float;
	for (int64_t row = 0; row < rows; row++) {
		// In place: a converted row ends before the next one starts.
		const char* from = data + row_before * static_cast<size_t>(row);
		if (tensor->type == GGML_TYPE_F32) std::memcpy(numbers.data(), from, count * sizeof(float));
		else to_float(from, numbers.data(), columns);
		ggml_quantize_chunk(GGML_TYPE_Q8_0, numbers.data(), quantised.data(), 0, 1, columns, nullptr);
		std::memcpy(data + row_now * static_cast<size_t>(row), quantised.data(), row_now);
	}
	const size_t before = ggml_nbytes(tensor);
	tensor->type = GGML_TYPE_Q8_0;
	tensor->nb[0] = ggml_type_size(GGML_TYPE_Q8_0);
	tensor->nb[1] = row_now;
	tensor->nb[2] = tensor->nb[3] = row_now * static_cast<size_t>(rows);
	return ReleasePages(data + ggml_nbytes(tensor), data + before);
}

void UseHugePages(const std::vector<const ggml_tensor*>& tensors) {
	std::vector<std::pair<char*, char*>> ranges;
	for (const ggml_tensor* tensor : tensors) {
		if (!InMemory(tensor)) continue;
		auto* data = static_cast<char*>(tensor->data);
		ranges.emplace_back(data, data + ggml_nbytes(tensor));
	}
	std::sort(ranges.begin(), ranges.end());
	// Larger gaps than alignment padding belong to something else.
	constexpr ptrdiff_t kGap = 4096;
	for (size_t i = 0; i < ranges.size();) {
		auto [begin, end] = ranges[i];
		for (i++; i < ranges.size() && ranges[i].first - end < kGap; i++) end = ranges[i].second;
		UseHugePages(begin, end);
	}
}

size_t ReleaseWeights(const ggml_tensor* tensor) {
	if (!InMemory(tensor)) return 0;
	auto* data = static_cast<char*>(tensor->data);
	return ReleasePages(data, data + ggml_nbytes(tensor));
}

}  // namespace earshot
