#include "kernels/encoder/rows.h"

#include <cmath>

#include "kernels/vectors.h"

#ifdef EARSHOT_VECTORS

namespace earshot::encoder {

namespace {

/** As in whisper.cpp and OpenAI's Whisper. */
constexpr float kEpsilon = 1e-5F;

}  // namespace

EARSHOT_AVX512 void Normalise(const float* row, size_t width, const float* weight, const float* bias, float* out) {
	__m512 sum = _mm512_setzero_ps();
	for (size_t i = 0; i < width; i += kLanes) {
		sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(FirstOf(width - i), row + i));
	}
	const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / static_cast<float>(width));
	__m512 squares = _mm512_setzero_ps();
	for (size_t i = 0; i < width; i += kLanes) {
		const __mmask16 wanted = FirstOf(width - i);
		const __m512 off = _mm512_maskz_sub_ps(wanted, _mm512_maskz_loadu_ps(wanted, row + i), mean);
		squares = _mm512_fmadd_ps(off, off, squares);
	}
	const float variance = _mm512_reduce_add_ps(squares) / static_cast<float>(width);
	const __m512 factor = _mm512_set1_ps(1.0F / std::sqrt(variance + kEpsilon));
	for (size_t i = 0; i < width; i += kLanes) {
		const __mmask16 wanted = FirstOf(width - i);
		const __m512 off = _mm512_sub_ps(_mm512_maskz_loadu_ps(wanted, row + i), mean);
		const __m512 scaled = _mm512_mul_ps(_mm512_mul_ps(off, factor), _mm512_maskz_loadu_ps(wanted, weight + i));
		_mm512_mask_storeu_ps(out + i, wanted, _mm512_add_ps(scaled, _mm512_maskz_loadu_ps(wanted, bias + i)));
	}
}

EARSHOT_AVX512 void ToHalf(const float* numbers, size_t count, float scale, uint16_t* halves) {
	for (size_t i = 0; i < count; i += kLanes) {
		const __mmask16 wanted = FirstOf(count - i);
		const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(wanted, numbers + i), _mm512_set1_ps(scale));
		_mm256_mask_storeu_epi16(halves + i, wanted, _mm512_cvtps_ph(scaled, _MM_FROUND_TO_NEAREST_INT));
	}
}

EARSHOT_AVX512 void AddTo(float* numbers, const float* more, size_t count) {
	for (size_t i = 0; i < count; i += kLanes) {
		const __mmask16 wanted = FirstOf(count - i);
		const __m512 sum =
			_mm512_add_ps(_mm512_maskz_loadu_ps(wanted, numbers + i), _mm512_maskz_loadu_ps(wanted, more + i));
		_mm512_mask_storeu_ps(numbers + i, wanted, sum);
	}
}

}  // namespace earshot::encoder

#endif
