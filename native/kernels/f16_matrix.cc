#include "kernels/f16_matrix.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

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

/** Some columns of a few adjacent rows. */
struct Piece {
	const uint16_t* numbers;
	/** Numbers from one row to the next. */
	size_t stride;
	size_t columns;
	/** Address to prefetch from, as many bytes as the piece has. */
	const char* ahead;
};

/** sums[v · rows + r] = row r · vector v. */
using Kernel = void (*)(const Piece& piece, const float* vectors, float* sums);

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

template <size_t kRows, size_t kCount>
__attribute__((target("avx512f,avx2"))) void Multiply512(const Piece& piece, const float* vectors, float* sums) {
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
		for (size_t r = 0; r < kRows; r++) {
			const auto* from = reinterpret_cast<const __m256i*>(piece.numbers + r * piece.stride + i);
			row[r] = _mm512_cvtph_ps(_mm256_loadu_si256(from));
		}
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

template <size_t kRows, size_t kCount>
__attribute__((target("avx2,fma,f16c"))) void Multiply256(const Piece& piece, const float* vectors, float* sums) {
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
			for (size_t r = 0; r < kRows; r++) {
				const auto* from = reinterpret_cast<const __m128i*>(piece.numbers + r * piece.stride + i + half);
				row[r] = _mm256_cvtph_ps(_mm_loadu_si128(from));
			}
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

struct Tiles {
	size_t rows;
	/** Kernels for `rows` rows and for one, by the number of vectors minus one. */
	std::array<Kernel, kMaxVectors> many, one;
};

template <size_t... kCount>
constexpr Tiles TilesOf512(std::index_sequence<kCount...>) {
	return {kMaxRows, {Multiply512<kMaxRows, kCount + 1>...}, {Multiply512<1, kCount + 1>...}};
}
template <size_t... kCount>
constexpr Tiles TilesOf256(std::index_sequence<kCount...>) {
	return {2, {Multiply256<2, kCount + 1>...}, {Multiply256<1, kCount + 1>...}};
}
constexpr Tiles kOf512 = TilesOf512(std::make_index_sequence<kMaxVectors>());
constexpr Tiles kOf256 = TilesOf256(std::make_index_sequence<kMaxVectors>());

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

/** Multiplies rows `from` to `to`, and prefetches at `ahead`. */
void MultiplyStrip(const Tiles& kernels, const uint16_t* matrix, size_t columns, size_t from, size_t to,
	const char* ahead, const Group& group, float* const* products) {
	std::array<float, kMaxRows * kMaxVectors> sums;
	for (size_t column = 0; column < columns; column += kColumns) {
		const size_t some = std::min(kColumns, columns - column);
		for (size_t row = from; row < to;) {
			const size_t rows = to - row < kernels.rows ? 1 : kernels.rows;
			const auto kernel = (rows == 1 ? kernels.one : kernels.many)[group.count - 1];
			kernel({matrix + row * columns + column, columns, some, ahead}, group.numbers + column * group.count,
				sums.data());
			for (size_t v = 0; v < group.count; v++) {
				float* product = products[group.first + v] + row;
				for (size_t r = 0; r < rows; r++) product[r] = (column == 0 ? 0 : product[r]) + sums[v * rows + r];
			}
			ahead += 2 * rows * some;
			row += rows;
		}
	}
}

}  // namespace

bool CanMultiply(size_t columns) { return WidestKernels() >= Kernels::kAvx2 && columns % kStep == 0; }

void Multiply(const uint16_t* matrix, size_t rows, size_t columns, const float* const* vectors, float* const* products,
	size_t count, Kernels widest) {
	const Tiles& kernels = widest >= Kernels::kAvx512 ? kOf512 : kOf256;
	std::vector<float> numbers(columns * count);
	const std::vector<Group> groups = Interleave(vectors, count, columns, numbers.data());
	for (size_t row = 0; row < rows; row += kStrip) {
		const size_t to = std::min(row + kStrip, rows);
		for (const Group& group : groups) {
			const uint16_t* ahead = matrix + (group.first == 0 ? to : row) * columns;
			MultiplyStrip(kernels, matrix, columns, row, to, reinterpret_cast<const char*>(ahead), group, products);
		}
	}
}

#else

bool CanMultiply(size_t) { return false; }
void Multiply(const uint16_t*, size_t, size_t, const float* const*, float* const*, size_t, Kernels) {}

#endif

}  // namespace earshot
