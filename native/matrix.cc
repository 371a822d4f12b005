#include "matrix.h"

#include <vector>

#include <ggml-cpu.h>
#include <ggml.h>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define EARSHOT_X86 1
#include <immintrin.h>
#endif

namespace earshot {

#ifdef EARSHOT_X86

namespace {

/** Bytes ahead of what is multiplied that memory is asked for: the processor's own guess comes too late once a row is
 * multiplied with several vectors. Measured from 128 to 2048 on an AMD EPYC of the fourth generation. */
constexpr size_t kAhead = 512;

template <size_t kCount>
__attribute__((target("avx512f"))) void Multiply512(
	const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products) {
	for (size_t row = 0; row < rows; row++, matrix += columns) {
		__m512 sums[kCount];
		for (__m512& sum : sums) sum = _mm512_setzero_ps();
		for (size_t i = 0; i < columns; i += 16) {
			_mm_prefetch(reinterpret_cast<const char*>(matrix + i) + kAhead, _MM_HINT_T0);
			const __m512 numbers = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(matrix + i)));
			for (size_t v = 0; v < kCount; v++) {
				sums[v] = _mm512_fmadd_ps(numbers, _mm512_loadu_ps(vectors[v] + i), sums[v]);
			}
		}
		for (size_t v = 0; v < kCount; v++) products[v][row] = _mm512_reduce_add_ps(sums[v]);
	}
}

template <size_t kCount>
__attribute__((target("avx2,fma,f16c"))) void Multiply256(
	const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products) {
	for (size_t row = 0; row < rows; row++, matrix += columns) {
		__m256 sums[kCount];
		for (__m256& sum : sums) sum = _mm256_setzero_ps();
		for (size_t i = 0; i < columns; i += 8) {
			_mm_prefetch(reinterpret_cast<const char*>(matrix + i) + kAhead, _MM_HINT_T0);
			const __m256 numbers = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(matrix + i)));
			for (size_t v = 0; v < kCount; v++) {
				sums[v] = _mm256_fmadd_ps(numbers, _mm256_loadu_ps(vectors[v] + i), sums[v]);
			}
		}
		for (size_t v = 0; v < kCount; v++) {
			__m128 four = _mm_add_ps(_mm256_castps256_ps128(sums[v]), _mm256_extractf128_ps(sums[v], 1));
			four = _mm_add_ps(four, _mm_movehl_ps(four, four));
			products[v][row] = _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
		}
	}
}

using Kernel = void (*)(const uint16_t*, size_t, size_t, const float* const*, float* const*);
constexpr Kernel kOf512[kMostVectors] = {Multiply512<1>, Multiply512<2>, Multiply512<3>, Multiply512<4>};
constexpr Kernel kOf256[kMostVectors] = {Multiply256<1>, Multiply256<2>, Multiply256<3>, Multiply256<4>};

/** A forced level is kept to: these tell what ggml was compiled for. */
bool Has512() { return ggml_cpu_has_avx512() != 0; }
bool Has256() { return ggml_cpu_has_avx2() != 0 && ggml_cpu_has_fma() != 0 && ggml_cpu_has_f16c() != 0; }

}  // namespace

bool CanMultiply(size_t columns) { return Has512() ? columns % 16 == 0 : Has256() && columns % 8 == 0; }

void Multiply(const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products,
	size_t count) {
	(Has512() ? kOf512 : kOf256)[count - 1](matrix, rows, columns, vectors, products);
}

#else

bool CanMultiply(size_t) { return false; }
void Multiply(const uint16_t*, size_t, size_t, const float* const*, float* const*, size_t) {}

#endif

void RoundToHalf(const float* numbers, size_t count, float* rounded) {
	std::vector<ggml_fp16_t> halves(count);
	ggml_cpu_fp32_to_fp16(numbers, halves.data(), static_cast<int64_t>(count));
	ggml_cpu_fp16_to_fp32(halves.data(), rounded, static_cast<int64_t>(count));
}

}  // namespace earshot
