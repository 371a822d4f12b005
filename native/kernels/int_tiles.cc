#include "kernels/int_tiles.h"

#include <algorithm>
#include <cstdint>

#include "kernels/vectors.h"
#include "kernels/width.h"

// Requires a compiler that has the instructions (GCC 11, Clang 11).
#if defined(EARSHOT_VECTORS) && (__has_include(<amxint8intrin.h>) || __has_include(<amxintrin.h>))
#define EARSHOT_TILES 1
#endif

namespace earshot {

#ifdef EARSHOT_TILES

namespace {

#define EARSHOT_AMX __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,amx-tile,amx-int8")))

/** Rows per tile. */
constexpr size_t kTileRows = 16;
/** Bytes per row of a tile. */
constexpr size_t kTileBytes = 64;
constexpr size_t kHalves = kPanel / kLanes;
/** Bytes from one group of four numbers of a panel's rows to the next. */
constexpr size_t kStep = kPanel * 4;

/** Argument of `_tile_loadconfig`: Intel's manual, volume 1, table 18-1. */
struct alignas(64) TileConfig {
	uint8_t palette = 1;
	uint8_t start_row = 0;
	uint8_t reserved[14] = {};
	uint16_t row_bytes[16] = {};
	uint8_t rows[16] = {};

	void Set(size_t tile, size_t row_count) {
		rows[tile] = static_cast<uint8_t>(row_count);
		row_bytes[tile] = static_cast<uint16_t>(kTileBytes);
	}
};

/** The stored sums of a tile. */
struct alignas(64) Sums {
	int32_t of[kTileRows][kLanes];
};

// Tile numbers must be constants. Four sums, since a product has the latency of four.
#define EARSHOT_SUM_0 0
#define EARSHOT_SUM_1 1
#define EARSHOT_SUM_2 2
#define EARSHOT_SUM_3 3
#define EARSHOT_ROWS_0 4
#define EARSHOT_ROWS_1 5
#define EARSHOT_WEIGHTS_0 6
#define EARSHOT_WEIGHTS_1 7

EARSHOT_AMX void Configure(size_t row_count) {
	TileConfig config;
	for (const size_t sum : {EARSHOT_SUM_0, EARSHOT_SUM_1, EARSHOT_SUM_2, EARSHOT_SUM_3}) config.Set(sum, row_count);
	for (const size_t rows : {EARSHOT_ROWS_0, EARSHOT_ROWS_1}) config.Set(rows, row_count);
	for (const size_t weights : {EARSHOT_WEIGHTS_0, EARSHOT_WEIGHTS_1}) config.Set(weights, kTileRows);
	// GCC's intrinsic declares that it reads eight bytes: without this, writes to the others are optimised away.
	__asm__ volatile("" : : "r"(&config) : "memory");
	_tile_loadconfig(&config);
}

/** Products of a block with a panel: two sums for each half of the panel. */
struct Products {
	Sums sums[4];

	EARSHOT_AMX __attribute__((always_inline)) void Multiply(
		const uint8_t* numbers, size_t stride, const uint8_t* weights, size_t length) {
		_tile_zero(EARSHOT_SUM_0);
		_tile_zero(EARSHOT_SUM_1);
		_tile_zero(EARSHOT_SUM_2);
		_tile_zero(EARSHOT_SUM_3);
		for (size_t at = 0; at < length; at += 2 * kTileBytes) {
			const uint8_t* from = weights + at * kPanel;
			_tile_loadd(EARSHOT_ROWS_0, numbers + at, stride);
			_tile_loadd(EARSHOT_WEIGHTS_0, from, kStep);
			_tile_dpbusd(EARSHOT_SUM_0, EARSHOT_ROWS_0, EARSHOT_WEIGHTS_0);
			_tile_loadd(EARSHOT_WEIGHTS_1, from + sizeof(Line), kStep);
			_tile_dpbusd(EARSHOT_SUM_1, EARSHOT_ROWS_0, EARSHOT_WEIGHTS_1);
			if (at + kTileBytes >= length) break;
			from += kTileBytes * kPanel;
			_tile_loadd(EARSHOT_ROWS_1, numbers + at + kTileBytes, stride);
			_tile_loadd(EARSHOT_WEIGHTS_0, from, kStep);
			_tile_dpbusd(EARSHOT_SUM_2, EARSHOT_ROWS_1, EARSHOT_WEIGHTS_0);
			_tile_loadd(EARSHOT_WEIGHTS_1, from + sizeof(Line), kStep);
			_tile_dpbusd(EARSHOT_SUM_3, EARSHOT_ROWS_1, EARSHOT_WEIGHTS_1);
		}
		_tile_stored(EARSHOT_SUM_0, sums, kTileBytes);
		_tile_stored(EARSHOT_SUM_1, sums + 1, kTileBytes);
		_tile_stored(EARSHOT_SUM_2, sums + 2, kTileBytes);
		_tile_stored(EARSHOT_SUM_3, sums + 3, kTileBytes);
	}

	EARSHOT_AMX __attribute__((always_inline)) __m512i Of(size_t row, size_t half) const {
		return _mm512_add_epi32(
			_mm512_load_si512(sums[half].of[row]), _mm512_load_si512(sums[half + kHalves].of[row]));
	}
};

/** `count`: at most kTileRows. */
EARSHOT_AMX void MultiplyTile(size_t blocks, size_t length, const IntRows& rows, size_t count, const IntPanel& panel,
	float* out, size_t stride, size_t columns, bool add) {
	__m512 sums[kTileRows][kHalves];
	for (size_t row = 0; row < count; row++) std::fill_n(sums[row], kHalves, _mm512_setzero_ps());
	const auto* weights = reinterpret_cast<const uint8_t*>(panel.numbers);
	// While the tiles multiply one block, the vectors add up the previous one.
	Products products[2];
	products[0].Multiply(rows.numbers, rows.stride, weights, length);
	for (size_t block = 0; block < blocks; block++) {
		if (const size_t next = (block + 1) * length; block + 1 < blocks) {
			products[(block + 1) % 2].Multiply(rows.numbers + next, rows.stride, weights + next * kPanel, length);
		}
		const Products& done = products[block % 2];
		for (size_t half = 0; half < kHalves; half++) {
			const __m512i offsets = _mm512_loadu_si512(panel.offsets + block * kPanel + half * kLanes);
			const float* scale = rows.scales + block;
			for (size_t row = 0; row < count; row++, scale += rows.scale_stride) {
				const __m512 product = _mm512_cvtepi32_ps(_mm512_add_epi32(done.Of(row, half), offsets));
				sums[row][half] = _mm512_fmadd_ps(product, _mm512_set1_ps(*scale), sums[row][half]);
			}
		}
	}
	for (size_t half = 0; half < kHalves && half * kLanes < columns; half++) {
		const __mmask16 wanted = FirstOf(columns - half * kLanes);
		const __m512 scale = _mm512_loadu_ps(panel.scales + half * kLanes);
		const __m512 bias =
			panel.bias == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(panel.bias + half * kLanes);
		for (size_t row = 0; row < count; row++) {
			float* to = out + row * stride + half * kLanes;
			const __m512 before = add ? _mm512_add_ps(bias, _mm512_maskz_loadu_ps(wanted, to)) : bias;
			_mm512_mask_storeu_ps(to, wanted, _mm512_fmadd_ps(sums[row][half], scale, before));
		}
	}
}

}  // namespace

bool FitTiles(Integers integers, size_t length) {
	return integers == Integers::k8 && length % kTileBytes == 0 && WidestKernels() >= Kernels::kAmx;
}

EARSHOT_AMX void MultiplyPanelByTiles(size_t blocks, size_t length, const IntRows& rows, size_t count,
	const IntPanel& panel, float* out, size_t stride, size_t columns, bool add) {
	size_t configured = 0;
	for (size_t first = 0; first < count; first += kTileRows) {
		const size_t some = std::min(kTileRows, count - first);
		if (some != configured) Configure(some);
		configured = some;
		const IntRows from{rows.numbers + first * rows.stride, rows.stride, rows.scales + first * rows.scale_stride,
			rows.scale_stride};
		MultiplyTile(blocks, length, from, some, panel, out + first * stride, stride, columns, add);
	}
	// Released tiles need not be saved at context switches.
	_tile_release();
}

#else

bool FitTiles(Integers, size_t) { return false; }
void MultiplyPanelByTiles(
	size_t, size_t, const IntRows&, size_t, const IntPanel&, float*, size_t, size_t, bool) {}

#endif

}  // namespace earshot
