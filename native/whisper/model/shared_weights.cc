#include "whisper/model/shared_weights.h"

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <ggml.h>

#include "core/log.h"
#include "whisper/upstream/tensors.h"

namespace earshot {

namespace {

/** FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv. */
class Hash {
public:
	void Add(const void* data, size_t size) {
		for (size_t i = 0; i < size; i++) value_ = (value_ ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3U;
	}
	uint64_t value() const { return value_; }

private:
	uint64_t value_ = 0xcbf29ce484222325U;
};

/** Only names the file, whose contents are compared, so that the ends of each weight suffice. */
std::string FileName(const std::vector<upstream::Weight>& weights, const std::vector<SharedFile::Part>& parts) {
	constexpr size_t kEnd = 4096;
	Hash hash;
	for (const auto& [name, tensor] : weights) {
		hash.Add(name.data(), name.size() + 1);
		hash.Add(&tensor->type, sizeof tensor->type);
	}
	for (const auto& [data, size] : parts) {
		const size_t end = std::min(size, kEnd);
		hash.Add(&size, sizeof size);
		hash.Add(data, end);
		hash.Add(data + size - end, end);
	}
	char name[32];
	std::snprintf(name, sizeof name, "%016" PRIx64 ".weights", hash.value());
	return name;
}

}  // namespace

std::unique_ptr<SharedFile> ShareWeights(
	const std::string& folder, const std::vector<upstream::Weight>& weights, Q8Matrices* matrices) {
	std::vector<SharedFile::Part> parts;
	for (const auto& [name, tensor] : weights) {
		parts.push_back({static_cast<const char*>(tensor->data), ggml_nbytes(tensor)});
	}
	if (matrices != nullptr) parts.push_back({matrices->data(), matrices->bytes()});
	if (parts.empty()) return nullptr;
	auto shared = SharedFile::Map(folder + "/" + FileName(weights, parts), parts, "model_load_failed");
	if (!shared) {
		Log(LogLevel::kWarn, "weights are not shared with other processes: " + shared.failure().text);
		return nullptr;
	}
	for (size_t i = 0; i < weights.size(); i++) {
		(void)ReleaseWeights(weights[i].tensor);
		weights[i].tensor->data = const_cast<char*>((*shared)->parts()[i]);
	}
	if (matrices != nullptr) matrices->ReadFrom((*shared)->parts().back());
	return std::move(*shared);
}

}  // namespace earshot
