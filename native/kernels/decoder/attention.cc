#include "kernels/decoder/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
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
/** Queries that share each conversion of a row: as many as there are registers for. */
constexpr size_t kQueries = 5;

EARSHOT_INLINE __m512 FromHalf(const uint16_t* numbers) {
	return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers)));
}

/** For each row that is read. Beyond the end it has no effect. */
EARSHOT_INLINE void Prefetch(const uint16_t* ahead) {
	_mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
	_mm_prefetch(reinterpret_cast<const char*>(ahead) + 64, _MM_HINT_T1);
}

/** The sum of the numbers of each of 16 vectors, all added in the same order. */
EARSHOT_INLINE __m512 SumEach(const __m512* all) {
	__m512 pairs[8], fours[4], halves[2];
	for (size_t i = 0; i < 8; i++) {
		const __m512 one = all[2 * i], two = all[2 * i + 1];
		pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(one, two), _mm512_unpackhi_ps(one, two));
	}
	for (size_t i = 0; i < 4; i++) {
		const __m512d one = _mm512_castps_pd(pairs[2 * i]), two = _mm512_castps_pd(pairs[2 * i + 1]);
		fours[i] = _mm512_add_ps(
			_mm512_castpd_ps(_mm512_unpacklo_pd(one, two)), _mm512_castpd_ps(_mm512_unpackhi_pd(one, two)));
	}
	for (size_t i = 0; i < 2; i++) {
		const __m512 one = fours[2 * i], two = fours[2 * i + 1];
		halves[i] = _mm512_add_ps(_mm512_shuffle_f32x4(one, two, 0x88), _mm512_shuffle_f32x4(one, two, 0xdd));
	}
	return _mm512_add_ps(
		_mm512_shuffle_f32x4(halves[0], halves[1], 0x88), _mm512_shuffle_f32x4(halves[0], halves[1], 0xdd));
}

/** Up to kRows rows of keys or values of one head. */
struct Rows {
	std::array<const uint16_t*, kRows> numbers;
	size_t count;
	/** Where to prefetch from, kWidth numbers per row: in memory order, since the order of access, head by head, takes twice
	 * as long. */
	const uint16_t* ahead;
};

/** Pointers of `kCount` queries that are processed together. */
template <class Number>
using Each = std::array<Number*, kQueries>;

template <size_t kCount>
EARSHOT_AVX512 void Scores(const Each<const float>& queries, const Rows& keys, float scale, const Each<float>& scores) {
	alignas(64) __m512 sums[kCount][kRows];
	__m512 wanted[kCount][kParts];
#pragma GCC unroll 8
	for (size_t q = 0; q < kCount; q++) {
#pragma GCC unroll 4
		for (size_t part = 0; part < kParts; part++) wanted[q][part] = _mm512_loadu_ps(queries[q] + part * kLanes);
	}
	for (size_t row = 0; row < keys.count; row++) {
		Prefetch(keys.ahead + row * kWidth);
		__m512 key[kParts];
#pragma GCC unroll 4
		for (size_t part = 0; part < kParts; part++) key[part] = FromHalf(keys.numbers[row] + part * kLanes);
#pragma GCC unroll 8
		for (size_t q = 0; q < kCount; q++) {
			__m512 sum = _mm512_mul_ps(wanted[q][0], key[0]);
#pragma GCC unroll 4
			for (size_t part = 1; part < kParts; part++) sum = _mm512_fmadd_ps(wanted[q][part], key[part], sum);
			sums[q][row] = sum;
		}
	}
	for (size_t q = 0; q < kCount; q++) {
		for (size_t row = keys.count; row < kRows; row++) sums[q][row] = _mm512_setzero_ps();
		_mm512_storeu_ps(scores[q], _mm512_mul_ps(_mm512_set1_ps(scale), SumEach(sums[q])));
	}
}

template <size_t kCount>
EARSHOT_AVX512 void AddWeighted(const Each<const float>& weights, const Rows& values, const Each<float>& sums) {
	__m512 sum[kCount][kParts];
#pragma GCC unroll 8
	for (size_t q = 0; q < kCount; q++) {
#pragma GCC unroll 4
		for (size_t part = 0; part < kParts; part++) sum[q][part] = _mm512_loadu_ps(sums[q] + part * kLanes);
	}
	for (size_t row = 0; row < values.count; row++) {
		Prefetch(values.ahead + row * kWidth);
#pragma GCC unroll 4
		for (size_t part = 0; part < kParts; part++) {
			const __m512 value = FromHalf(values.numbers[row] + part * kLanes);
#pragma GCC unroll 8
			for (size_t q = 0; q < kCount; q++) {
				sum[q][part] = _mm512_fmadd_ps(_mm512_set1_ps(weights[q][row]), value, sum[q][part]);
			}
		}
	}
#pragma GCC unroll 8
	for (size_t q = 0; q < kCount; q++) {
#pragma GCC unroll 4
		for (size_t part = 0; part < kParts; part++) _mm512_storeu_ps(sums[q] + part * kLanes, sum[q][part]);
	}
}

using ScoresOf = void (*)(const Each<const float>&, const Rows&, float, const Each<float>&);
using AddOf = void (*)(const Each<const float>&, const Rows&, const Each<float>&);
template <size_t... kCount>
constexpr std::array<ScoresOf, kQueries> AllScores(std::index_sequence<kCount...>) {
	return {Scores<kCount + 1>...};
}
template <size_t... kCount>
constexpr std::array<AddOf, kQueries> AllAdds(std::index_sequence<kCount...>) {
	return {AddWeighted<kCount + 1>...};
}
constexpr auto kScores = AllScores(std::make_index_sequence<kQueries>());
constexpr auto kAdds = AllAdds(std::make_index_sequence<kQueries>());

EARSHOT_AVX512 void Scale(float* numbers, float factor) {
	for (size_t i = 0; i < kWidth; i += kLanes) {
		_mm512_storeu_ps(numbers + i, _mm512_mul_ps(_mm512_loadu_ps(numbers + i), _mm512_set1_ps(factor)));
	}
}

/** A cache seen by one node. */
class Cache {
public:
	explicit Cache(const ggml_tensor* tensor)
		: numbers_(static_cast<const uint16_t*>(tensor->data)), stride_(tensor->nb[1] / sizeof(uint16_t)) {}

	/** The rows `numbers[0 … count - 1]` of a head; `share`: heads that are read in turn. */
	Rows Of(size_t head, const uint32_t* numbers, size_t count, size_t first_head) const {
		Rows rows{};
		rows.count = count;
		for (size_t i = 0; i < count; i++) rows.numbers[i] = numbers_ + numbers[i] * stride_ + head * kWidth;
		rows.ahead = numbers_ + (numbers[0] + kRowsAhead) * stride_ + first_head * kWidth + (head - first_head) * kRows * kWidth;
		return rows;
	}

private:
	const uint16_t* numbers_;
	size_t stride_;
};

/** Some queries over the same rows. */
struct Group {
	size_t first, count;
	const std::vector<uint32_t>& rows;
};

/** Computes heads `from` up to but not including `to`. */
void Attend(ggml_tensor* node, float scale, const Group& group, size_t from, size_t to) {
	static thread_local std::vector<float> memory;
	const ggml_tensor* query = node->src[0];
	const Cache keys(node->src[1]), values(node->src[2]);
	const size_t positions = group.rows.size(), heads = to - from;
	const size_t stride = (positions + kLanes - 1) / kLanes * kLanes;
	memory.resize(heads * group.count * stride);
	const auto scores_of = [&](size_t head, size_t q) { return memory.data() + ((head - from) * group.count + q) * stride; };
	const auto query_of = [&](size_t head, size_t q) {
		return reinterpret_cast<const float*>(
			static_cast<const char*>(query->data) + head * query->nb[2] + (group.first + q) * query->nb[1]);
	};
	const auto sums_of = [&](size_t head, size_t q) {
		return static_cast<float*>(node->data) + ((group.first + q) * static_cast<size_t>(node->ne[1]) + head) * kWidth;
	};
	for (size_t row = 0; row < positions; row += kRows) {
		const size_t count = std::min(kRows, positions - row);
		for (size_t head = from; head < to; head++) {
			Each<const float> queries{};
			Each<float> scores{};
			for (size_t q = 0; q < group.count; q++) {
				queries[q] = query_of(head, q);
				scores[q] = scores_of(head, q) + row;
			}
			kScores[group.count - 1](queries, keys.Of(head, group.rows.data() + row, count, from), scale, scores);
		}
	}
	std::vector<float> factors;
	for (size_t head = from; head < to; head++) {
		for (size_t q = 0; q < group.count; q++) {
			factors.push_back(1.0F / Exponentials(scores_of(head, q), positions));
			std::fill_n(sums_of(head, q), kWidth, 0.0F);
		}
	}
	for (size_t row = 0; row < positions; row += kRows) {
		const size_t count = std::min(kRows, positions - row);
		for (size_t head = from; head < to; head++) {
			Each<const float> weights{};
			Each<float> sums{};
			for (size_t q = 0; q < group.count; q++) {
				weights[q] = scores_of(head, q) + row;
				sums[q] = sums_of(head, q);
			}
			kAdds[group.count - 1](weights, values.Of(head, group.rows.data() + row, count, from), sums);
		}
	}
	auto factor = factors.begin();
	for (size_t head = from; head < to; head++) {
		for (size_t q = 0; q < group.count; q++) Scale(sums_of(head, q), *factor++);
	}
}

/** Called on each of ggml's threads. `scale`: a float. */
void AttendSome(ggml_tensor* node, int thread, int threads, void* scale) {
	const ggml_tensor *query = node->src[0], *keys = node->src[1], *mask = node->src[3];
	const auto heads = static_cast<size_t>(query->ne[2]), queries = static_cast<size_t>(query->ne[1]);
	const size_t from = heads * static_cast<size_t>(thread) / static_cast<size_t>(threads);
	const size_t to = heads * (static_cast<size_t>(thread) + 1) / static_cast<size_t>(threads);
	if (from == to) return;
	const float factor = *static_cast<const float*>(scale);
	const auto positions = static_cast<size_t>(keys->ne[1]);
	std::vector<uint32_t> rows;
	if (mask == nullptr) {
		rows.resize(positions);
		std::iota(rows.begin(), rows.end(), 0);
		for (size_t first = 0; first < queries; first += kQueries) {
			Attend(node, factor, {first, std::min(kQueries, queries - first), rows}, from, to);
		}
		return;
	}
	for (size_t q = 0; q < queries; q++) {
		const auto* hidden = reinterpret_cast<const ggml_fp16_t*>(static_cast<const char*>(mask->data) + q * mask->nb[1]);
		rows.clear();
		for (size_t row = 0; row < positions; row++) {
			if (hidden[row] == 0) rows.push_back(static_cast<uint32_t>(row));
		}
		if (!rows.empty()) Attend(node, factor, {q, 1, rows}, from, to);
	}
}

bool IsCache(const ggml_tensor* tensor, int64_t heads) {
	return tensor->type == GGML_TYPE_F16 && tensor->ne[0] == kWidth && tensor->ne[2] == heads && tensor->ne[3] == 1 &&
		tensor->nb[0] == sizeof(uint16_t) && tensor->nb[2] == kWidth * sizeof(uint16_t);
}

}  // namespace

ggml_tensor* AttendNode(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale) {
	static const std::array scales{1.0F, static_cast<float>(std::pow(static_cast<float>(kWidth), -0.25))};
	const auto known = std::find(scales.begin(), scales.end(), scale);
	const bool can = WidestKernels() >= Kernels::kAvx512 && known != scales.end() && queries->type == GGML_TYPE_F32 &&
		queries->ne[0] == kWidth && queries->ne[3] == 1 && queries->nb[0] == sizeof(float) &&
		IsCache(keys, queries->ne[2]) && IsCache(values, queries->ne[2]) &&
		(mask == nullptr || (mask->type == GGML_TYPE_F16 && mask->ne[2] == 1 && mask->ne[3] == 1));
	if (!can) return nullptr;
	std::array sources{queries, keys, values, mask};
	const int count = mask == nullptr ? 3 : 4;
	return ggml_custom_4d(context, GGML_TYPE_F32, kWidth, queries->ne[2], queries->ne[1], 1, sources.data(), count, AttendSome,
		GGML_N_TASKS_MAX, const_cast<float*>(&*known));
}

#else

ggml_tensor* AttendNode(ggml_context*, ggml_tensor*, ggml_tensor*, ggml_tensor*, ggml_tensor*, float) { return nullptr; }

#endif

}  // namespace earshot
