#include "kernels/int_matrix.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/int_tiles.h"
#include "kernels/vectors.h"
#include "kernels/width.h"

namespace earshot {

namespace {

/** A trade-off: in long blocks an outlier costs the other numbers precision, and short ones cost time. */
constexpr size_t MaxBlockLength(Integers integers) { return integers == Integers::k16 ? 64 : 128; }
/** Largest magnitude in rows of 16 bits, and in rows and weights of 8. Larger rows would leave less range for weights. */
constexpr float kMax16 = 16383, kMax8 = 127;
/** If the magnitudes of a block's weights add up to at most this, sums of products stay below 2^31. */
constexpr float kMaxWeight16 = 2147483647.0F / kMax16 - 1;
/** Added to 8-bit rows, which are stored unsigned. */
constexpr int kShift8 = 128;

constexpr size_t BytesOf(Integers integers) { return integers == Integers::k16 ? 2 : 1; }

}  // namespace

Blocks::Blocks(Integers integers, size_t width)
	: width(width), count((width + MaxBlockLength(integers) - 1) / MaxBlockLength(integers)),
	  length(((width + count - 1) / count + kLanes - 1) / kLanes * kLanes) {}

size_t RowBytes(Integers integers, const Blocks& blocks) { return blocks.Padded() * BytesOf(integers); }

size_t PanelLines(Integers integers, size_t blocks, size_t length) {
	return blocks * length * BytesOf(integers) * kPanel / sizeof(Line);
}

IntMatrix::IntMatrix(Integers integers, size_t rows, size_t segments, const Blocks& blocks,
	const std::function<void(size_t, float*)>& row, const float* bias)
	: integers_(integers), rows_(rows), blocks_(segments * blocks.count), length_(blocks.length) {
	const size_t panels = (rows + kPanel - 1) / kPanel, lines = PanelLines(integers, blocks_, length_);
	numbers_.resize(panels * lines);
	scales_.resize(panels * kPanel);
	bias_.resize(panels * kPanel);
	if (integers == Integers::k8) excess_.resize(panels * kPanel * blocks_);
	std::vector<float> one(segments * blocks.width);
	for (size_t n = 0; n < rows; n++) {
		row(n, one.data());
		const size_t panel = n / kPanel;
		int32_t* offsets = excess_.empty() ? nullptr : excess_.data() + panel * kPanel * blocks_;
		scales_[n] = PackRow(integers, blocks, segments, one.data(), n % kPanel, numbers_.data() + panel * lines, offsets);
	}
	if (bias != nullptr) std::copy(bias, bias + rows, bias_.begin());
}

void IntMatrix::MultiplySome(
	size_t first, size_t end, const IntRows& rows, size_t count, float* out, size_t stride, bool add) const {
	const size_t lines = PanelLines(integers_, blocks_, length_);
	for (size_t n = first; n < end; n += kPanel, out += kPanel) {
		const size_t panel = n / kPanel;
		const int32_t* offsets = excess_.empty() ? nullptr : excess_.data() + panel * kPanel * blocks_;
		const IntPanel view{numbers_.data() + panel * lines, scales_.data() + n, bias_.data() + n, offsets};
		MultiplyPanel(integers_, blocks_, length_, rows, count, view, out, stride, std::min(kPanel, end - n), add);
	}
}

#ifdef EARSHOT_VECTORS

bool HasIntegers() { return WidestKernels() >= Kernels::kVnni; }

namespace {

/** Rows per tile: with kPanel columns, the sums of a block and of all blocks take three quarters of the registers. */
constexpr size_t kTile = 6;
constexpr size_t kHalves = kPanel / kLanes;

template <Integers kIntegers>
EARSHOT_VNNI __attribute__((always_inline)) inline __m512i Dot(__m512i sum, __m512i row, __m512i weights) {
	if constexpr (kIntegers == Integers::k16) return _mm512_dpwssd_epi32(sum, row, weights);
	else return _mm512_dpbusd_epi32(sum, row, weights);
}

template <Integers kIntegers, bool kByBlock, size_t kRows>
EARSHOT_VNNI void MultiplyTile(size_t blocks, size_t length, const IntRows& rows, const IntPanel& panel, float* out,
	size_t stride, size_t columns, bool add) {
	__m512 sums[kRows][kHalves];
	for (auto& row : sums) row[0] = row[1] = _mm512_setzero_ps();
	const uint8_t* numbers = rows.numbers;
	const auto* weights = reinterpret_cast<const uint8_t*>(panel.numbers);
	const size_t block_bytes = length * BytesOf(kIntegers);
	for (size_t block = 0; block < blocks; block++, numbers += block_bytes) {
		__m512i whole[kRows][kHalves];
		for (size_t half = 0; half < kHalves; half++) {
			const __m512i start = kIntegers == Integers::k16
				? _mm512_setzero_si512()
				: _mm512_loadu_si512(panel.offsets + block * kPanel + half * kLanes);
			for (size_t row = 0; row < kRows; row++) whole[row][half] = start;
		}
// Otherwise GCC copies the sums between registers in each iteration, which takes as long as the products.
#pragma GCC unroll 4
		for (size_t at = 0; at < block_bytes; at += 4, weights += kHalves * sizeof(Line)) {
			const __m512i left = _mm512_load_si512(weights), right = _mm512_load_si512(weights + sizeof(Line));
#pragma GCC unroll 6
			for (size_t row = 0; row < kRows; row++) {
				int32_t four;
				std::memcpy(&four, numbers + row * rows.stride + at, sizeof four);
				const __m512i everywhere = _mm512_set1_epi32(four);
				whole[row][0] = Dot<kIntegers>(whole[row][0], everywhere, left);
				whole[row][1] = Dot<kIntegers>(whole[row][1], everywhere, right);
			}
		}
		for (size_t row = 0; row < kRows; row++) {
			const __m512 scale = _mm512_set1_ps(rows.scales[row * rows.scale_stride + block]);
			for (size_t half = 0; half < kHalves; half++) {
				__m512 product = _mm512_cvtepi32_ps(whole[row][half]);
				if constexpr (kByBlock) {
					product = _mm512_mul_ps(product, _mm512_loadu_ps(panel.scales + block * kPanel + half * kLanes));
				}
				sums[row][half] = _mm512_fmadd_ps(product, scale, sums[row][half]);
			}
		}
	}
	for (size_t half = 0; half < kHalves; half++) {
		const __mmask16 wanted = half * kLanes < columns ? FirstOf(columns - half * kLanes) : __mmask16{0};
		const __m512 scale = kByBlock ? _mm512_set1_ps(1.0F) : _mm512_loadu_ps(panel.scales + half * kLanes);
		const __m512 bias =
			panel.bias == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(panel.bias + half * kLanes);
		for (size_t row = 0; row < kRows; row++) {
			float* to = out + row * stride + half * kLanes;
			const __m512 before = add ? _mm512_add_ps(bias, _mm512_maskz_loadu_ps(wanted, to)) : bias;
			_mm512_mask_storeu_ps(to, wanted, _mm512_fmadd_ps(sums[row][half], scale, before));
		}
	}
}

using Tile = void (*)(size_t, size_t, const IntRows&, const IntPanel&, float*, size_t, size_t, bool);

template <Integers kIntegers, bool kByBlock, size_t... kRows>
constexpr std::array<Tile, kTile> TilesOf(std::index_sequence<kRows...>) {
	return {MultiplyTile<kIntegers, kByBlock, kRows + 1>...};
}

constexpr auto kTiles16 = TilesOf<Integers::k16, false>(std::make_index_sequence<kTile>());
constexpr auto kTilesByBlock = TilesOf<Integers::k16, true>(std::make_index_sequence<kTile>());
constexpr auto kTiles8 = TilesOf<Integers::k8, false>(std::make_index_sequence<kTile>());

}  // namespace

void MultiplyPanel(Integers integers, size_t blocks, size_t length, const IntRows& rows, size_t count,
	const IntPanel& panel, float* out, size_t stride, size_t columns, bool add) {
	if (FitTiles(integers, length)) {
		return MultiplyPanelByTiles(blocks, length, rows, count, panel, out, stride, columns, add);
	}
	const auto& tiles = integers == Integers::k8 ? kTiles8 : panel.scales_by_block ? kTilesByBlock : kTiles16;
	for (size_t row = 0; row < count; row += kTile) {
		const IntRows some{rows.numbers + row * rows.stride, rows.stride, rows.scales + row * rows.scale_stride,
			rows.scale_stride};
		tiles[std::min(kTile, count - row) - 1](
			blocks, length, some, panel, out + row * stride, stride, columns, add);
	}
}

EARSHOT_AVX512 float PackRow(Integers integers, const Blocks& blocks, size_t segments, const float* row, size_t at,
	Line* numbers, int32_t* offsets) {
	__m512 most = _mm512_setzero_ps();
	float heaviest = 0;
	for (size_t segment = 0; segment < segments; segment++) {
		for (size_t start = 0; start < blocks.width; start += blocks.length) {
			const float* block = row + segment * blocks.width + start;
			const size_t count = std::min(blocks.length, blocks.width - start);
			__m512 sum = _mm512_setzero_ps();
			for (size_t i = 0; i < count; i += kLanes) {
				const __m512 size = _mm512_abs_ps(_mm512_maskz_loadu_ps(FirstOf(count - i), block + i));
				sum = _mm512_add_ps(sum, size);
				most = _mm512_max_ps(most, size);
			}
			const float weight = _mm512_reduce_add_ps(sum);
			// NaN stays NaN.
			if (!std::isfinite(weight)) return NAN;
			heaviest = std::max(heaviest, weight);
		}
	}
	const float greatest = _mm512_reduce_max_ps(most);
	// Rounding may add half a step to each number.
	const float max_weight = kMaxWeight16 - static_cast<float>(blocks.length) / 2;
	const float scale =
		integers == Integers::k16 ? std::max(greatest / 32767.0F, heaviest / max_weight) : greatest / kMax8;
	if (!(scale > 0)) return 0;
	const __m512 step = _mm512_set1_ps(scale);
	uint8_t* to = reinterpret_cast<uint8_t*>(numbers) + 4 * at;
	for (size_t segment = 0; segment < segments; segment++) {
		for (size_t block = 0; block < blocks.count; block++) {
			__m512i sum = _mm512_setzero_si512();
			for (size_t i = block * blocks.length; i < (block + 1) * blocks.length; i += kLanes) {
				const __mmask16 there = i < blocks.width ? FirstOf(blocks.width - i) : __mmask16{0};
				const __m512 value = _mm512_maskz_loadu_ps(there, row + segment * blocks.width + i);
				const __m512i whole = _mm512_cvtps_epi32(_mm512_div_ps(value, step));
				sum = _mm512_add_epi32(sum, whole);
				alignas(32) uint8_t rounded[kLanes * 2];
				if (integers == Integers::k16) {
					_mm256_store_si256(reinterpret_cast<__m256i*>(rounded), _mm512_cvtsepi32_epi16(whole));
				} else {
					_mm_store_si128(reinterpret_cast<__m128i*>(rounded), _mm512_cvtsepi32_epi8(whole));
				}
				for (size_t four = 0; four < kLanes * BytesOf(integers); four += 4, to += 4 * kPanel) {
					std::memcpy(to, rounded + four, 4);
				}
			}
			if (offsets != nullptr) {
				offsets[(segment * blocks.count + block) * kPanel + at] = -kShift8 * _mm512_reduce_add_epi32(sum);
			}
		}
	}
	return scale;
}

EARSHOT_AVX512 void PackColumns(size_t length, const float* rows, size_t stride, size_t count, size_t columns,
	Line* numbers, float* scales) {
	// Rounding may add half a step to each number.
	const float max_weight = kMaxWeight16 - static_cast<float>(length) / 2;
	for (size_t half = 0; half < kHalves; half++, rows += kLanes, scales += kLanes) {
		const __mmask16 wanted = columns > half * kLanes ? FirstOf(columns - half * kLanes) : __mmask16{0};
		__m512 most = _mm512_setzero_ps(), weight = _mm512_setzero_ps();
		for (size_t row = 0; row < count; row++) {
			const __m512 size = _mm512_abs_ps(_mm512_maskz_loadu_ps(wanted, rows + row * stride));
			weight = _mm512_add_ps(weight, size);
			most = _mm512_max_ps(most, size);
		}
		const __m512 step = _mm512_max_ps(_mm512_div_ps(most, _mm512_set1_ps(32767.0F)),
			_mm512_div_ps(weight, _mm512_set1_ps(max_weight)));
		// NaN stays NaN.
		const __mmask16 finite = _mm512_cmp_ps_mask(weight, _mm512_set1_ps(INFINITY), _CMP_LT_OQ);
		_mm512_storeu_ps(scales, _mm512_mask_mov_ps(_mm512_set1_ps(NAN), finite, step));
		const __mmask16 some = finite & _mm512_cmp_ps_mask(step, _mm512_setzero_ps(), _CMP_GT_OQ);
		const __m512 factor = _mm512_maskz_div_ps(some, _mm512_set1_ps(1.0F), step);
		uint8_t* to = reinterpret_cast<uint8_t*>(numbers) + half * sizeof(Line);
		for (size_t row = 0; row < length; row += 2, to += kHalves * sizeof(Line)) {
			const __mmask16 one = row < count ? some : __mmask16{0}, two = row + 1 < count ? some : __mmask16{0};
			const float* from = rows + row * stride;
			const __m512i even = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(one, from), factor));
			const __m512i odd = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(two, from + stride), factor));
			_mm512_store_si512(to, _mm512_mask_blend_epi16(0xaaaaaaaa, even, _mm512_slli_epi32(odd, 16)));
		}
	}
}

namespace {

/** kLanes numbers of a row from `at` on, zeros beyond its end. */
EARSHOT_INLINE __m512 Some(const float* row, size_t width, size_t at) {
	if (at + kLanes <= width) return _mm512_loadu_ps(row + at);
	return at < width ? _mm512_maskz_loadu_ps(FirstOf(width - at), row + at) : _mm512_setzero_ps();
}

}  // namespace

EARSHOT_AVX512 void RoundRow(Integers integers, const Blocks& blocks, const float* row, uint8_t* numbers, float* scales) {
	const float steps = integers == Integers::k16 ? kMax16 : kMax8;
	for (size_t block = 0; block < blocks.count; block++) {
		const size_t start = block * blocks.length, end = start + blocks.length;
		// Compare magnitudes as integers: the order is the same, with NaN above all numbers, so NaN stays NaN.
		__m512i most = _mm512_setzero_si512();
		for (size_t i = start; i < end; i += kLanes) {
			const __m512 size = _mm512_abs_ps(Some(row, blocks.width, i));
			most = _mm512_max_epi32(most, _mm512_castps_si512(size));
		}
		const float greatest = std::bit_cast<float>(_mm512_reduce_max_epi32(most));
		scales[block] = greatest * (1 / steps);
		const __m512 factor = _mm512_set1_ps(greatest > 0 ? steps / greatest : 0.0F);
		for (size_t i = start; i < end; i += kLanes) {
			const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(Some(row, blocks.width, i), factor));
			if (integers == Integers::k16) {
				_mm256_storeu_si256(reinterpret_cast<__m256i*>(numbers + 2 * i), _mm512_cvtsepi32_epi16(whole));
			} else {
				const __m512i shifted = _mm512_add_epi32(whole, _mm512_set1_epi32(kShift8));
				_mm_storeu_si128(reinterpret_cast<__m128i*>(numbers + i), _mm512_cvtusepi32_epi8(shifted));
			}
		}
	}
}

#else

bool HasIntegers() { return false; }
float PackRow(Integers, const Blocks&, size_t, const float*, size_t, Line*, int32_t*) { return 0; }
void RoundRow(Integers, const Blocks&, const float*, uint8_t*, float*) {}
void PackColumns(size_t, const float*, size_t, size_t, size_t, Line*, float*) {}
void MultiplyPanel(Integers, size_t, size_t, const IntRows&, size_t, const IntPanel&, float*, size_t, size_t, bool) {}

#endif

}  // namespace earshot
