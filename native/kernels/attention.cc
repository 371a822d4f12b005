#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <ggml-cpu.h>
#include <ggml.h>

#include "kernels/vectors.h"
#include "kernels/width.h"

namespace earshot {

#ifdef EARSHOT_VECTORS

namespace {

/** Numbers per head, in all Whisper models. */
constexpr size_t kWidth = 64;
constexpr size_t kParts = kWidth / kLanes;
/** Rows processed head by head: they fit into the L1 cache. */
constexpr size_t kRows = 16;
/** Prefetch distance. */
constexpr size_t kRowsAhead = 2 * kRows;

EARSHOT_INLINE __m512 FromHalf(const uint16_t* numbers) {
	return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers)));
}

/** For each row that is read. Beyond the end it has no effect. */
EARSHOT_INLINE void Prefetch(const uint16_t* ahead) {
	_mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
	_mm_prefetch(reinterpret_cast<const char*>(ahead) + 64, _MM_HINT_T1);
}

struct Rows {
	const uint16_t* numbers;
	/** Numbers from one row to the next. */
	size_t stride;
	/** Where to prefetch from, kWidth numbers per row: in memory order, since the order of access, head by head, takes twice
	 * as long. */
	const uint16_t* ahead;
};

EARSHOT_AVX512 void Scores(const float* query, const Rows& keys, size_t count, float scale, float* scores) {
	__m512 wanted[kParts];
	for (size_t part = 0; part < kParts; part++) wanted[part] = _mm512_loadu_ps(query + part * kLanes);
	for (size_t row = 0; row < count; row++) {
		const uint16_t* key = keys.numbers + row * keys.stride;
		Prefetch(keys.ahead + row * kWidth);
		__m512 sum = _mm512_mul_ps(wanted[0], FromHalf(key));
		for (size_t part = 1; part < kParts; part++) {
			sum = _mm512_fmadd_ps(wanted[part], FromHalf(key + part * kLanes), sum);
		}
		scores[row] = scale * _mm512_reduce_add_ps(sum);
	}
}

EARSHOT_AVX512 void AddWeighted(const float* weights, const Rows& values, size_t count, float* sums) {
	__m512 sum[kParts];
	for (size_t part = 0; part < kParts; part++) sum[part] = _mm512_loadu_ps(sums + part * kLanes);
	for (size_t row = 0; row < count; row++) {
		const __m512 weight = _mm512_set1_ps(weights[row]);
		const uint16_t* value = values.numbers + row * values.stride;
		Prefetch(values.ahead + row * kWidth);
		for (size_t part = 0; part < kParts; part++) {
			sum[part] = _mm512_fmadd_ps(weight, FromHalf(value + part * kLanes), sum[part]);
		}
	}
	for (size_t part = 0; part < kParts; part++) _mm512_storeu_ps(sums + part * kLanes, sum[part]);
}

EARSHOT_AVX512 void Scale(float* numbers, float factor) {
	for (size_t i = 0; i < kWidth; i += kLanes) {
		_mm512_storeu_ps(numbers + i, _mm512_mul_ps(_mm512_loadu_ps(numbers + i), _mm512_set1_ps(factor)));
	}
}

bool IsCache(const ggml_tensor* tensor, size_t heads) {
	return tensor->type == GGML_TYPE_F16 && tensor->ne[0] == kWidth && tensor->ne[2] == static_cast<int64_t>(heads) &&
		tensor->ne[3] == 1 && tensor->nb[0] == sizeof(uint16_t) && tensor->nb[2] == kWidth * sizeof(uint16_t);
}

float Parameter(const ggml_tensor* node, size_t at) {
	float value;
	std::memcpy(&value, reinterpret_cast<const char*>(node->op_params) + at * sizeof value, sizeof value);
	return value;
}

}  // namespace

bool CanAttend(const ggml_tensor* node) {
	if (node->op != GGML_OP_FLASH_ATTN_EXT || WidestKernels() < Kernels::kAvx512) return false;
	const ggml_tensor *query = node->src[0], *keys = node->src[1], *values = node->src[2], *mask = node->src[3];
	const auto heads = static_cast<size_t>(query->ne[2]);
	const bool unbiased = Parameter(node, 1) == 0 && Parameter(node, 2) == 0 && node->src[4] == nullptr;
	return unbiased && query->type == GGML_TYPE_F32 && query->ne[0] == kWidth && query->ne[1] == 1 && query->ne[3] == 1 &&
		query->nb[0] == sizeof(float) && IsCache(keys, heads) && IsCache(values, heads) &&
		(mask == nullptr || (mask->type == GGML_TYPE_F16 && mask->ne[2] == 1 && mask->ne[3] == 1)) &&
		ggml_is_contiguous(node);
}

void Attend(ggml_tensor* node) {
	const ggml_tensor *query = node->src[0], *keys = node->src[1], *values = node->src[2], *mask = node->src[3];
	const auto heads = static_cast<size_t>(query->ne[2]), positions = static_cast<size_t>(keys->ne[1]);
	const size_t stride = (positions + kLanes - 1) / kLanes * kLanes;
	static thread_local std::vector<float> scores;
	scores.resize(heads * stride);
	const auto rows = [](const ggml_tensor* cache, size_t head, size_t row) {
		const size_t apart = cache->nb[1] / sizeof(uint16_t);
		const auto* numbers = static_cast<const uint16_t*>(cache->data) + row * apart;
		return Rows{numbers + head * kWidth, apart, numbers + kRowsAhead * apart + head * kRows * kWidth};
	};
	const float scale = Parameter(node, 0);
	for (size_t row = 0; row < positions; row += kRows) {
		const size_t count = std::min(kRows, positions - row);
		for (size_t head = 0; head < heads; head++) {
			const auto* wanted =
				reinterpret_cast<const float*>(static_cast<const char*>(query->data) + head * query->nb[2]);
			Scores(wanted, rows(keys, head, row), count, scale, scores.data() + head * stride + row);
		}
	}
	auto* sums = static_cast<float*>(node->data);
	std::fill_n(sums, heads * kWidth, 0.0F);
	std::vector<float> factors(heads);
	for (size_t head = 0; head < heads; head++) {
		float* own = scores.data() + head * stride;
		if (mask != nullptr) {
			const auto* hidden = static_cast<const ggml_fp16_t*>(mask->data);
			for (size_t row = 0; row < positions; row++) own[row] += ggml_fp16_to_fp32(hidden[row]);
		}
		factors[head] = 1.0F / Exponentials(own, positions);
	}
	for (size_t row = 0; row < positions; row += kRows) {
		const size_t count = std::min(kRows, positions - row);
		for (size_t head = 0; head < heads; head++) {
			AddWeighted(scores.data() + head * stride + row, rows(values, head, row), count, sums + head * kWidth);
		}
	}
	for (size_t head = 0; head < heads; head++) Scale(sums + head * kWidth, factors[head]);
}

#else

bool CanAttend(const ggml_tensor*) { return false; }
void Attend(ggml_tensor*) {}

#endif

}  // namespace earshot
