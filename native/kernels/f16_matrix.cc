#include "kernels/f16_matrix.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include "kernels/vectors.h"

namespace earshot {

#ifdef EARSHOT_VECTORS

namespace {

/** Interleaving of the vectors: this many numbers of each in turn. */
constexpr size_t kStep = 16;
/** Columns per block: this much of six vectors fits into the L1 cache. */
constexpr size_t kColumns = 512;
/** Rows that are prefetched, in memory order, while the previous ones are multiplied. The hardware prefetcher is too late,
 * and reading four rows in parallel from memory takes twice as long. */
constexpr size_t kStrip = 32;

/** Some columns of a few adjacent rows, in half floats or converted. */
template <class Number>
struct Piece {
	const Number* numbers;
	/** Numbers from one row to the next. */
	size_t stride;
	size_t columns;
	/** Address to prefetch from, as many bytes as the piece has. */
	const char* ahead;
};

/** sums[v · rows + r] = row r · vector v. */
template <class Number>
using Kernel = void (*)(const Piece<Number>& piece, const float* vectors, float* sums);

__attribute__((target("avx512f,avx2"), always_inline)) inline __m512 Load512(const uint16_t* numbers) {
	return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers)));
}
__attribute__((target("avx512f,avx2"), always_inline)) inline __m512 Load512(const float* numbers) {
	return _mm512_loadu_ps(numbers);
}
__attribute__((target("avx2,fma,f16c"), always_inline)) inline __m256 Load256(const uint16_t* numbers) {
	return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(numbers)));
}
__attribute__((target("avx2,fma,f16c"), always_inline)) inline __m256 Load256(const float* numbers) {
	return _mm256_loadu_ps(numbers);
}

__attribute__((target("avx2"), always_inline)) inline float Sum(__m256 numbers) {
	__m128 four = _mm_add_ps(_mm256_castps256_ps128(numbers), _mm256_extractf128_ps(numbers, 1));
	four = _mm_add_ps(four, _mm_movehl_ps(four, four));
	return _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
}

/** Instead of _mm512_reduce_add_ps, for which GCC 12 warns about uninitialised values. */
__attribute__((target("avx512f,avx2"), always_inline)) inline float Sum(__m512 numbers) {
	const __m512d pairs = _mm512_castps_pd(numbers);
	const __m256 upper = _mm256_castpd_ps(_mm512_maskz_extractf64x4_pd(0xf, pairs, 1));
	return Sum(_mm256_add_ps(_mm512_castps512_ps256(numbers), upper));
}

template <class Number, size_t kRows, size_t kCount>
__attribute__((target("avx512f,avx2"))) void Multiply512(const Piece<Number>& piece, const float* vectors, float* sums) {
	__m512 all[kRows][kCount];
#pragma GCC unroll 8
	for (size_t r = 0; r < kRows; r++) {
#pragma GCC unroll 8
		for (size_t v = 0; v < kCount; v++) all[r][v] = _mm512_setzero_ps();
	}
	const char* ahead = piece.ahead;
	for (size_t i = 0; i < piece.columns; i += kStep, vectors += kStep * kCount, ahead += 2 * kStep * kRows) {
#pragma GCC unroll 8
		for (size_t line = 0; line < 2 * kStep * kRows; line += 64) _mm_prefetch(ahead + line, _MM_HINT_T1);
		__m512 row[kRows];
#pragma GCC unroll 8
		for (size_t r = 0; r < kRows; r++) row[r] = Load512(piece.numbers + r * piece.stride + i);
#pragma GCC unroll 8
		for (size_t v = 0; v < kCount; v++) {
			const __m512 vector = _mm512_loadu_ps(vectors + v * kStep);
#pragma GCC unroll 8
			for (size_t r = 0; r < kRows; r++) all[r][v] = _mm512_fmadd_ps(row[r], vector, all[r][v]);
		}
	}
#pragma GCC unroll 8
	for (size_t v = 0; v < kCount; v++) {
#pragma GCC unroll 8
		for (size_t r = 0; r < kRows; r++) sums[v * kRows + r] = Sum(all[r][v]);
	}
}

template <class Number, size_t kRows, size_t kCount>
__attribute__((target("avx2,fma,f16c"))) void Multiply256(const Piece<Number>& piece, const float* vectors, float* sums) {
	__m256 all[kRows][kCount];
#pragma GCC unroll 8
	for (size_t r = 0; r < kRows; r++) {
#pragma GCC unroll 8
		for (size_t v = 0; v < kCount; v++) all[r][v] = _mm256_setzero_ps();
	}
	const char* ahead = piece.ahead;
	for (size_t i = 0; i < piece.columns; i += kStep, vectors += kStep * kCount, ahead += 2 * kStep * kRows) {
#pragma GCC unroll 8
		for (size_t line = 0; line < 2 * kStep * kRows; line += 64) _mm_prefetch(ahead + line, _MM_HINT_T1);
#pragma GCC unroll 2
		for (size_t half = 0; half < kStep; half += kStep / 2) {
			__m256 row[kRows];
#pragma GCC unroll 8
			for (size_t r = 0; r < kRows; r++) row[r] = Load256(piece.numbers + r * piece.stride + i + half);
#pragma GCC unroll 8
			for (size_t v = 0; v < kCount; v++) {
				const __m256 vector = _mm256_loadu_ps(vectors + v * kStep + half);
#pragma GCC unroll 8
				for (size_t r = 0; r < kRows; r++) all[r][v] = _mm256_fmadd_ps(row[r], vector, all[r][v]);
			}
		}
	}
#pragma GCC unroll 8
	for (size_t v = 0; v < kCount; v++) {
#pragma GCC unroll 8
		for (size_t r = 0; r < kRows; r++) sums[v * kRows + r] = Sum(all[r][v]);
	}
}

/** Tile size: as many rows and vectors as there are registers for their sums. */
constexpr size_t kMaxRows = 4, kMaxVectors = 6;

template <class Number>
struct Tiles {
	size_t rows;
	/** Kernels for `rows` rows and for one, by the number of vectors minus one. */
	std::array<Kernel<Number>, kMaxVectors> many, one;
};

template <class Number, size_t... kCount>
constexpr Tiles<Number> TilesOf512(std::index_sequence<kCount...>) {
	return {kMaxRows, {Multiply512<Number, kMaxRows, kCount + 1>...}, {Multiply512<Number, 1, kCount + 1>...}};
}
template <class Number, size_t... kCount>
constexpr Tiles<Number> TilesOf256(std::index_sequence<kCount...>) {
	return {2, {Multiply256<Number, 2, kCount + 1>...}, {Multiply256<Number, 1, kCount + 1>...}};
}
template <class Number>
constexpr Tiles<Number> kOf512 = TilesOf512<Number>(std::make_index_sequence<kMaxVectors>());
template <class Number>
constexpr Tiles<Number> kOf256 = TilesOf256<Number>(std::make_index_sequence<kMaxVectors>());
template <class Number>
const Tiles<Number>& TilesFor(Kernels widest) {
	return widest >= Kernels::kAvx512 ? kOf512<Number> : kOf256<Number>;
}

/** Vectors of one kernel call, rounded to half floats and interleaved. */
struct Group {
	size_t first, count;
	const float* numbers;
};

std::vector<Group> Interleave(const float* const* vectors, size_t count, size_t columns, float* numbers) {
	std::vector<ggml_fp16_t> halves(columns);
	std::vector<float> rounded(columns);
	std::vector<Group> groups;
	const size_t parts = (count + kMaxVectors - 1) / kMaxVectors;
	for (size_t part = 0; part < parts; part++) {
		const size_t first = part * count / parts, size = (part + 1) * count / parts - first;
		groups.push_back({first, size, numbers});
		for (size_t v = 0; v < size; v++) {
			ggml_cpu_fp32_to_fp16(vectors[first + v], halves.data(), static_cast<int64_t>(columns));
			ggml_cpu_fp16_to_fp32(halves.data(), rounded.data(), static_cast<int64_t>(columns));
			for (size_t i = 0; i < columns; i += kStep) {
				std::copy_n(rounded.data() + i, kStep, numbers + i * size + v * kStep);
			}
		}
		numbers += size * columns;
	}
	return groups;
}

/** Some columns, from `column` on, of rows `from` up to but not including `to` of the matrix. */
template <class Number>
struct Strip {
	/** Of row `from`. */
	const Number* numbers;
	/** Numbers from one row to the next. */
	size_t stride;
	size_t from, to, column, columns;
	/** Address to prefetch from, as many bytes as the strip has. */
	const char* ahead;
};

template <class Number>
void MultiplyStrip(const Tiles<Number>& kernels, const Strip<Number>& strip, const Group& group, float* const* products) {
	std::array<float, kMaxRows * kMaxVectors> sums;
	const char* ahead = strip.ahead;
	for (size_t row = strip.from; row < strip.to;) {
		const size_t rows = strip.to - row < kernels.rows ? 1 : kernels.rows;
		const auto kernel = (rows == 1 ? kernels.one : kernels.many)[group.count - 1];
		kernel({strip.numbers + (row - strip.from) * strip.stride, strip.stride, strip.columns, ahead},
			group.numbers + strip.column * group.count, sums.data());
		for (size_t v = 0; v < group.count; v++) {
			float* product = products[group.first + v] + row;
			for (size_t r = 0; r < rows; r++) product[r] = (strip.column == 0 ? 0 : product[r]) + sums[v * rows + r];
		}
		ahead += 2 * rows * strip.columns;
		row += rows;
	}
}

// Convert a row and prefetch another one.

__attribute__((target("avx512f,avx2"))) void Convert512(
	const uint16_t* from, float* to, size_t columns, const char* ahead) {
	for (size_t i = 0; i < columns; i += kStep) {
		_mm_prefetch(ahead + 2 * i, _MM_HINT_T1);
		_mm512_storeu_ps(to + i, Load512(from + i));
	}
}

__attribute__((target("avx2,fma,f16c"))) void Convert256(
	const uint16_t* from, float* to, size_t columns, const char* ahead) {
	for (size_t i = 0; i < columns; i += kStep / 2) {
		_mm_prefetch(ahead + 2 * i, _MM_HINT_T1);
		_mm256_storeu_ps(to + i, Load256(from + i));
	}
}

Strip<float> Converted(const Strip<uint16_t>& strip, float* numbers, Kernels widest) {
	const auto convert = widest >= Kernels::kAvx512 ? Convert512 : Convert256;
	for (size_t row = 0; row < strip.to - strip.from; row++) {
		convert(strip.numbers + row * strip.stride, numbers + row * strip.columns, strip.columns,
			strip.ahead + 2 * row * strip.columns);
	}
	// The converted strip is in the cache, so prefetching it costs nothing.
	return {numbers, strip.columns, strip.from, strip.to, strip.column, strip.columns,
		reinterpret_cast<const char*>(strip.numbers)};
}

}  // namespace

bool CanMultiply(size_t columns) { return WidestKernels() >= Kernels::kAvx2 && columns % kStep == 0; }

void Multiply(const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products,
	size_t count, size_t part, size_t parts, Kernels widest) {
	std::vector<float> numbers(columns * count), converted(kStrip * kColumns);
	const std::vector<Group> groups = Interleave(vectors, count, columns, numbers.data());
	const size_t strips = (rows + kStrip - 1) / kStrip;
	for (size_t strip = part * strips / parts; strip < (part + 1) * strips / parts; strip++) {
		const size_t row = strip * kStrip, to = std::min(row + kStrip, rows);
		for (size_t column = 0; column < columns; column += kColumns) {
			const size_t some = std::min(kColumns, columns - column);
			const auto* ahead = reinterpret_cast<const char*>(matrix + to * columns) + 2 * (to - row) * column;
			const Strip<uint16_t> halves{matrix + row * columns + column, columns, row, to, column, some, ahead};
			if (groups.size() == 1) {
				MultiplyStrip(TilesFor<uint16_t>(widest), halves, groups.front(), products);
				continue;
			}
			const Strip<float> floats = Converted(halves, converted.data(), widest);
			for (const Group& group : groups) MultiplyStrip(TilesFor<float>(widest), floats, group, products);
		}
	}
}

#else

bool CanMultiply(size_t) { return false; }
void Multiply(const uint16_t*, size_t, size_t, const float* const*, float* const*, size_t, size_t, size_t, Kernels) {}

#endif

bool CanMultiply(const ggml_tensor* matrix, const ggml_tensor* rows) {
	return matrix->type == GGML_TYPE_F16 && ggml_n_dims(matrix) <= 2 && ggml_is_contiguous(matrix) &&
		// Not in a buffer in which ggml has repacked it.
		matrix->buffer != nullptr && ggml_backend_buffer_is_host(matrix->buffer) && rows->type == GGML_TYPE_F32 &&
		ggml_n_dims(rows) <= 2 && CanMultiply(static_cast<size_t>(matrix->ne[0]));
}

}  // namespace earshot
