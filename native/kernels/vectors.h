// AVX-512 helpers, for functions that are called only on processors that have it.
#pragma once

#include <cstddef>

namespace earshot {

/** Floats per vector. */
constexpr size_t kLanes = 16;

}  // namespace earshot

// Not with GCC for Windows, which puts 64-byte vectors on a stack that is aligned to 16 bytes (GCC bug 54412).
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && !defined(__MINGW32__)
#define EARSHOT_VECTORS 1

#include <immintrin.h>

#include <cmath>

#define EARSHOT_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
/** With VNNI. */
#define EARSHOT_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")))
#define EARSHOT_INLINE EARSHOT_AVX512 __attribute__((always_inline)) inline

namespace earshot {

/** Mask of the first `count` of 16 lanes; all for 16 and more. */
EARSHOT_INLINE __mmask16 FirstOf(size_t count) {
	return count >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1U << count) - 1);
}

/** e^x to a relative 2e-7, for x up to 88; below -87 it goes to 0. Cephes' polynomial (expf.c). */
EARSHOT_INLINE __m512 Exp(__m512 x) {
	const __m512 least = _mm512_set1_ps(-87.3F);
	const __mmask16 there = _mm512_cmp_ps_mask(x, least, _CMP_GE_OQ);
	const __m512 whole = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)), 0);
	__m512 rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693359375F), x);
	rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(-2.12194440e-4F), rest);
	__m512 sum = _mm512_set1_ps(1.9875691500e-4F);
	sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.3981999507e-3F));
	sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(8.3334519073e-3F));
	sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(4.1665795894e-2F));
	sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.6666665459e-1F));
	sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(5.0000001201e-1F));
	sum = _mm512_fmadd_ps(_mm512_mul_ps(rest, rest), sum, _mm512_add_ps(rest, _mm512_set1_ps(1.0F)));
	return _mm512_maskz_scalef_ps(there, sum, whole);
}

/** x/2 · (1 + erf(x/√2)), as in OpenAI's Whisper, to 2e-7 · |x|; erf by Abramowitz and Stegun 7.1.26. */
EARSHOT_INLINE __m512 Gelu(__m512 x) {
	const __m512 size = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.707106781F));
	const __m512 t = _mm512_div_ps(
		_mm512_set1_ps(1.0F), _mm512_fmadd_ps(size, _mm512_set1_ps(0.3275911F), _mm512_set1_ps(1.0F)));
	__m512 sum = _mm512_set1_ps(1.061405429F);
	sum = _mm512_fmadd_ps(sum, t, _mm512_set1_ps(-1.453152027F));
	sum = _mm512_fmadd_ps(sum, t, _mm512_set1_ps(1.421413741F));
	sum = _mm512_fmadd_ps(sum, t, _mm512_set1_ps(-0.284496736F));
	sum = _mm512_fmadd_ps(sum, t, _mm512_set1_ps(0.254829592F));
	// 1 - erf(|x|/√2). Half of it times |x| is the difference between max(x, 0) and GELU.
	const __m512 square = _mm512_mul_ps(size, size);
	const __m512 rest =
		_mm512_mul_ps(_mm512_mul_ps(sum, t), Exp(_mm512_sub_ps(_mm512_setzero_ps(), square)));
	const __m512 short_of = _mm512_mul_ps(_mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.5F)), rest);
	return _mm512_sub_ps(_mm512_max_ps(x, _mm512_setzero_ps()), short_of);
}

/** Replaces each score by e^(score - maximum), and returns the sum. The array's size is a multiple of 16. */
EARSHOT_AVX512 inline float Exponentials(float* scores, size_t count) {
	__m512 most = _mm512_set1_ps(-INFINITY);
	for (size_t i = 0; i < count; i += kLanes) {
		most = _mm512_mask_max_ps(most, FirstOf(count - i), most, _mm512_loadu_ps(scores + i));
	}
	const __m512 greatest = _mm512_set1_ps(_mm512_reduce_max_ps(most));
	__m512 sum = _mm512_setzero_ps();
	for (size_t i = 0; i < count; i += kLanes) {
		const __m512 each =
			_mm512_maskz_mov_ps(FirstOf(count - i), Exp(_mm512_sub_ps(_mm512_loadu_ps(scores + i), greatest)));
		sum = _mm512_add_ps(sum, each);
		_mm512_storeu_ps(scores + i, each);
	}
	return _mm512_reduce_add_ps(sum);
}

}  // namespace earshot

#endif
