#include "kernels/decoder/logits.h"

#include <algorithm>
#include <cmath>

#include "kernels/vectors.h"
#include "kernels/width.h"

namespace earshot {

namespace {

/** Puts a number into its place among `ranked`, which is full or gets longer by one. */
void Rank(std::vector<Ranked>& ranked, size_t most, Ranked one) {
	if (ranked.size() == most) ranked.pop_back();
	const auto place = std::find_if(
		ranked.begin(), ranked.end(), [&](const Ranked& other) { return other.number < one.number; });
	ranked.insert(place, one);
}

float Least(const std::vector<Ranked>& ranked, size_t most) {
	return ranked.size() < most ? -INFINITY : ranked.back().number;
}

#ifdef EARSHOT_VECTORS

EARSHOT_AVX512 float GreatestByVectors(const float* numbers, size_t count) {
	const __m512 none = _mm512_set1_ps(-INFINITY);
	__m512 most[4] = {none, none, none, none};
	size_t i = 0;
	for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
		for (size_t part = 0; part < 4; part++) {
			// The second operand is returned where one is NaN.
			most[part] = _mm512_max_ps(_mm512_loadu_ps(numbers + i + part * kLanes), most[part]);
		}
	}
	for (; i < count; i += kLanes) {
		most[0] = _mm512_max_ps(_mm512_mask_loadu_ps(none, FirstOf(count - i), numbers + i), most[0]);
	}
	return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3])));
}

EARSHOT_AVX512 double SumByVectors(const float* numbers, size_t count, float greatest) {
	/** Sums of this many lines stay exact enough in single precision. */
	constexpr size_t kChunk = 64 * kLanes;
	const __m512 none = _mm512_set1_ps(-INFINITY), most = _mm512_set1_ps(greatest);
	double sum = 0;
	for (size_t from = 0; from < count; from += kChunk) {
		const size_t to = std::min(count, from + kChunk);
		__m512 some = _mm512_setzero_ps();
		for (size_t i = from; i < to; i += kLanes) {
			const __m512 each = _mm512_mask_loadu_ps(none, FirstOf(to - i), numbers + i);
			some = _mm512_add_ps(some, Exp(_mm512_sub_ps(each, most)));
		}
		sum += static_cast<double>(_mm512_reduce_add_ps(some));
	}
	return sum;
}

EARSHOT_AVX512 void RankByVectors(const float* numbers, size_t count, size_t most, std::vector<Ranked>& ranked) {
	const __m512 none = _mm512_set1_ps(-INFINITY);
	float least = Least(ranked, most);
	for (size_t i = 0; i < count; i += kLanes) {
		const __m512 some = _mm512_mask_loadu_ps(none, FirstOf(count - i), numbers + i);
		unsigned above = _mm512_cmp_ps_mask(some, _mm512_set1_ps(least), _CMP_GT_OQ);
		for (; above != 0; above &= above - 1) {
			const auto at = i + static_cast<size_t>(__builtin_ctz(above));
			if (!(numbers[at] > least)) continue;
			Rank(ranked, most, {static_cast<uint32_t>(at), numbers[at]});
			least = Least(ranked, most);
		}
	}
}

bool HasVectors() { return WidestKernels() >= Kernels::kAvx512; }

#endif

}  // namespace

float Greatest(const float* numbers, size_t count) {
#ifdef EARSHOT_VECTORS
	if (HasVectors()) return GreatestByVectors(numbers, count);
#endif
	float greatest = -INFINITY;
	for (size_t i = 0; i < count; i++) greatest = numbers[i] > greatest ? numbers[i] : greatest;
	return greatest;
}

double SumOfExponentials(const float* numbers, size_t count, float greatest) {
#ifdef EARSHOT_VECTORS
	if (HasVectors()) return SumByVectors(numbers, count, greatest);
#endif
	double sum = 0;
	for (size_t i = 0; i < count; i++) sum += static_cast<double>(std::exp(numbers[i] - greatest));
	return sum;
}

std::vector<Ranked> GreatestOf(const float* numbers, size_t count, size_t most) {
	std::vector<Ranked> ranked;
	if (most == 0) return ranked;
	ranked.reserve(most + 1);
#ifdef EARSHOT_VECTORS
	if (HasVectors()) {
		RankByVectors(numbers, count, most, ranked);
		return ranked;
	}
#endif
	for (size_t i = 0; i < count; i++) {
		if (numbers[i] > Least(ranked, most)) Rank(ranked, most, {static_cast<uint32_t>(i), numbers[i]});
	}
	return ranked;
}

}  // namespace earshot
