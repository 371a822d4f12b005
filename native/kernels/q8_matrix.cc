#include "kernels/q8_matrix.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <ggml-impl.h>
#include <ggml.h>

#include "kernels/vectors.h"
#include "platform/platform.h"

namespace earshot {

namespace {

/** Numbers per scale, as in ggml's Q8_0. */
constexpr size_t kBlock = 32;
/** A block in ggml's format: the scale, a half float, then the numbers. */
constexpr size_t kBlockBytes = 2 + kBlock;
/** Memory lines of a panel's block: groups of four numbers of each row in turn, then the scales. */
constexpr size_t kBlockLines = (kBlock * kPanel + 2 * kPanel) / sizeof(Line);
/** Added to weights, which are stored unsigned. */
constexpr int kShift = 128;

}  // namespace

size_t Q8Matrix::Lines(size_t rows, size_t columns) {
	return (rows + kPanel - 1) / kPanel * (columns / kBlock) * kBlockLines;
}

void Q8Matrix::SetRow(Line* memory, size_t columns, size_t n, const void* row) {
	const auto* from = static_cast<const uint8_t*>(row);
	const size_t place = n % kPanel;
	Line* to = memory + n / kPanel * (columns / kBlock) * kBlockLines;
	for (size_t block = 0; block < columns / kBlock; block++, from += kBlockBytes, to += kBlockLines) {
		auto* numbers = reinterpret_cast<uint8_t*>(to);
		std::memcpy(numbers + kBlock * kPanel + 2 * place, from, 2);
		for (size_t i = 0; i < kBlock; i++) {
			numbers[i / 4 * 4 * kPanel + 4 * place + i % 4] = static_cast<uint8_t>(from[2 + i] + kShift);
		}
	}
}

void Q8Matrix::ReadRow(size_t n, float* row) const {
	const size_t place = n % kPanel;
	const Line* from = memory_ + n / kPanel * (columns_ / kBlock) * kBlockLines;
	for (size_t block = 0; block < columns_ / kBlock; block++, from += kBlockLines) {
		const auto* numbers = reinterpret_cast<const uint8_t*>(from);
		ggml_fp16_t scale;
		std::memcpy(&scale, numbers + kBlock * kPanel + 2 * place, sizeof scale);
		for (size_t i = 0; i < kBlock; i++) {
			const int number = numbers[i / 4 * 4 * kPanel + 4 * place + i % 4] - kShift;
			*row++ = ggml_fp16_to_fp32(scale) * static_cast<float>(number);
		}
	}
}

Q8Matrices::Q8Matrices(const std::vector<const ggml_tensor*>& tensors) {
	const auto size = [](const ggml_tensor* tensor) {
		return std::pair(static_cast<size_t>(tensor->ne[1]), static_cast<size_t>(tensor->ne[0]));
	};
	size_t lines = 0;
	for (const ggml_tensor* tensor : tensors) lines += Q8Matrix::Lines(size(tensor).first, size(tensor).second);
	memory_.resize(lines);
	bytes_ = lines * sizeof(Line);
	Line* memory = memory_.data();
	for (const ggml_tensor* tensor : tensors) {
		const auto [rows, columns] = size(tensor);
		for (size_t row = 0; row < rows; row++) {
			Q8Matrix::SetRow(memory, columns, row, static_cast<const char*>(tensor->data) + row * tensor->nb[1]);
		}
		matrices_.emplace(tensor, Q8Matrix(rows, columns, memory));
		memory += Q8Matrix::Lines(rows, columns);
	}
	UseHugePages(reinterpret_cast<char*>(memory_.data()), reinterpret_cast<char*>(memory));
}

void Q8Matrices::ReadFrom(const char* copy) {
	const Line* from = memory_.data();
	for (auto& [tensor, matrix] : matrices_) {
		matrix.memory_ = reinterpret_cast<const Line*>(copy) + (matrix.memory_ - from);
	}
	memory_ = {};
}

const Q8Matrix* Q8Matrices::Find(const ggml_tensor* tensor) const {
	const auto found = matrices_.find(tensor);
	return found == matrices_.end() ? nullptr : &found->second;
}

bool CanInterleave(const ggml_tensor* tensor) {
	return HasIntegers() && tensor->type == GGML_TYPE_Q8_0 && ggml_n_dims(tensor) == 2 && ggml_is_contiguous(tensor);
}

namespace {

/** Called on each of ggml's threads. */
void LookUpNode(ggml_tensor* node, int thread, int threads, void* matrix) {
	const auto* numbers = static_cast<const int32_t*>(node->src[0]->data);
	for (int64_t at = thread; at < node->ne[1]; at += threads) {
		float* row = static_cast<float*>(node->data) + at * node->ne[0];
		static_cast<const Q8Matrix*>(matrix)->ReadRow(static_cast<size_t>(numbers[at]), row);
	}
}

}  // namespace

ggml_tensor* LookUpRows(ggml_context* context, const Q8Matrix& matrix, ggml_tensor* numbers) {
	return ggml_custom_4d(context, GGML_TYPE_F32, static_cast<int64_t>(matrix.columns()), numbers->ne[0], 1, 1, &numbers,
		1, LookUpNode, 1, const_cast<Q8Matrix*>(&matrix));
}

#ifdef EARSHOT_VECTORS

namespace {

/** Vectors per tile: with kPanel rows, their sums take half of the registers. */
constexpr size_t kTile = 4;
constexpr size_t kHalves = kPanel / kLanes;

/** Vectors rounded to 8 bits, one after the other. */
struct Rounded {
	std::vector<int8_t> numbers;
	std::vector<float> scales;
	/** Initial sums, which compensate for kShift in the weights. */
	std::vector<int32_t> starts;
};

EARSHOT_AVX512 Rounded Round(const float* const* vectors, size_t count, size_t columns) {
	const size_t blocks = columns / kBlock;
	Rounded made{std::vector<int8_t>(count * columns), std::vector<float>(count * blocks),
		std::vector<int32_t>(count * blocks)};
	for (size_t at = 0; at < count * blocks; at++) {
		const float* from = vectors[at / blocks] + at % blocks * kBlock;
		const __m512 left = _mm512_loadu_ps(from), right = _mm512_loadu_ps(from + kLanes);
		const float most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(left), _mm512_abs_ps(right)));
		const __m512 factor = _mm512_set1_ps(most > 0 ? 127.0F / most : 0.0F);
		__m512i sum = _mm512_setzero_si512();
		for (size_t half = 0; half < kHalves; half++) {
			const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(half == 0 ? left : right, factor));
			sum = _mm512_add_epi32(sum, whole);
			auto* to = reinterpret_cast<__m128i*>(made.numbers.data() + at * kBlock + half * kLanes);
			_mm_storeu_si128(to, _mm512_cvtsepi32_epi8(whole));
		}
		// NaN stays NaN.
		const __mmask16 nans =
			_mm512_cmp_ps_mask(left, left, _CMP_UNORD_Q) | _mm512_cmp_ps_mask(right, right, _CMP_UNORD_Q);
		made.scales[at] = nans == 0 ? most / 127.0F : NAN;
		made.starts[at] = -kShift * _mm512_reduce_add_epi32(sum);
	}
	return made;
}

/** Reads the weights in memory order, which the hardware prefetcher handles: software prefetching was half as fast. */
template <size_t kCount>
EARSHOT_VNNI void MultiplyTile(const Line* panel, size_t blocks, const Rounded& rounded, size_t first,
	float* const* products, size_t row, size_t rows) {
	const auto* weights = reinterpret_cast<const char*>(panel);
	const int8_t* numbers = rounded.numbers.data() + first * blocks * kBlock;
	const float* scales = rounded.scales.data() + first * blocks;
	const int32_t* starts = rounded.starts.data() + first * blocks;
	__m512 sums[kCount][kHalves];
	for (auto& sum : sums) sum[0] = sum[1] = _mm512_setzero_ps();
	for (size_t block = 0; block < blocks; block++) {
		__m512i whole[kCount][kHalves];
		for (size_t v = 0; v < kCount; v++) whole[v][0] = whole[v][1] = _mm512_set1_epi32(starts[v * blocks + block]);
#pragma GCC unroll 8
		for (size_t i = 0; i < kBlock; i += 4, weights += kHalves * sizeof(Line)) {
			const __m512i left = _mm512_loadu_si512(weights), right = _mm512_loadu_si512(weights + sizeof(Line));
#pragma GCC unroll 4
			for (size_t v = 0; v < kCount; v++) {
				int32_t four;
				std::memcpy(&four, numbers + (v * blocks + block) * kBlock + i, sizeof four);
				const __m512i everywhere = _mm512_set1_epi32(four);
				whole[v][0] = _mm512_dpbusd_epi32(whole[v][0], left, everywhere);
				whole[v][1] = _mm512_dpbusd_epi32(whole[v][1], right, everywhere);
			}
		}
		for (size_t half = 0; half < kHalves; half++) {
			const __m512 steps =
				_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights) + half));
			for (size_t v = 0; v < kCount; v++) {
				const __m512 step = _mm512_mul_ps(steps, _mm512_set1_ps(scales[v * blocks + block]));
				sums[v][half] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[v][half]), step, sums[v][half]);
			}
		}
		weights += 2 * kPanel;
	}
	for (size_t half = 0; half < kHalves && row + half * kLanes < rows; half++) {
		const size_t from = row + half * kLanes;
		for (size_t v = 0; v < kCount; v++) {
			_mm512_mask_storeu_ps(products[first + v] + from, FirstOf(rows - from), sums[v][half]);
		}
	}
}

using Tile = void (*)(const Line*, size_t, const Rounded&, size_t, float* const*, size_t, size_t);
constexpr std::array<Tile, kTile> kTiles{MultiplyTile<1>, MultiplyTile<2>, MultiplyTile<3>, MultiplyTile<4>};

}  // namespace

void Q8Matrix::Multiply(
	const float* const* vectors, float* const* products, size_t count, size_t part, size_t parts) const {
	const Rounded rounded = Round(vectors, count, columns_);
	const size_t blocks = columns_ / kBlock, panels = (rows_ + kPanel - 1) / kPanel;
	for (size_t panel = part * panels / parts; panel < (part + 1) * panels / parts; panel++) {
		for (size_t first = 0; first < count; first += kTile) {
			kTiles[std::min(kTile, count - first) - 1](
				memory_ + panel * blocks * kBlockLines, blocks, rounded, first, products, panel * kPanel, rows_);
		}
	}
}

#else

void Q8Matrix::Multiply(const float* const*, float* const*, size_t, size_t, size_t) const {}

#endif

}  // namespace earshot
