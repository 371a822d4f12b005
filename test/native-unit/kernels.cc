// Compares our kernels with the same arithmetic in plain loops, in every width that this processor has.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ggml-cpu.h>
#include <ggml.h>

#include "check.h"
#include "kernels/f16_matrix.h"
#include "kernels/gelu.h"
#include "kernels/int_matrix.h"
#include "kernels/q8_matrix.h"
#include "kernels/width.h"
#include "platform/cpu.h"

namespace earshot::tests {

namespace {

/** Tolerates the rounding error of an f32 sum, `size` being the sum of the magnitudes, and `step` more. */
void ExpectNear(double made, double wanted, double size, const std::string& where, double step = 0) {
	const double bound = 3e-6 * size + step;
	EXPECT_THAT(std::abs(made - wanted) <= bound,
		std::to_string(wanted) + " ± " + std::to_string(bound) + ", got " + std::to_string(made) + " (" + where + ")");
}

std::vector<const float*> Pointers(const std::vector<std::vector<float>>& rows) {
	std::vector<const float*> pointers;
	for (const auto& row : rows) pointers.push_back(row.data());
	return pointers;
}

std::vector<float*> Pointers(std::vector<std::vector<float>>& rows) {
	std::vector<float*> pointers;
	for (auto& row : rows) pointers.push_back(row.data());
	return pointers;
}

void TestHalves(Kernels widest, size_t rows, size_t columns, size_t count) {
	Noise noise(static_cast<uint32_t>(rows * 31 + columns * 7 + count));
	std::vector<uint16_t> matrix(rows * columns);
	for (uint16_t& number : matrix) number = ggml_fp32_to_fp16(noise());
	std::vector<std::vector<float>> vectors, products(count, std::vector<float>(rows, NAN));
	for (size_t v = 0; v < count; v++) vectors.push_back(noise.Some(columns));
	for (size_t part = 0; part < 3; part++) {
		Multiply(matrix.data(), rows, columns, Pointers(std::as_const(vectors)).data(), Pointers(products).data(), count, part, 3,
			widest);
	}
	// The same bits as alone.
	std::vector<float> alone(rows);
	for (size_t v = 0; v < count; v++) {
		const float* vector = vectors[v].data();
		float* to = alone.data();
		Multiply(matrix.data(), rows, columns, &vector, &to, 1, 0, 1, widest);
		EXPECT(alone == products[v]);
	}
	for (size_t v = 0; v < count; v++) {
		for (size_t row = 0; row < rows; row++) {
			double sum = 0, size = 0;
			for (size_t i = 0; i < columns; i++) {
				const double product = static_cast<double>(ggml_fp16_to_fp32(matrix[row * columns + i])) *
					ggml_fp16_to_fp32(ggml_fp32_to_fp16(vectors[v][i]));
				sum += product;
				size += std::abs(product);
			}
			ExpectNear(products[v][row], sum, size, "row " + std::to_string(row));
		}
	}
}

/** Reference of RoundRow and PackRow. */
struct Rounded {
	std::vector<int64_t> numbers;
	/** One per block. */
	std::vector<float> scales;
};

float Greatest(const float* numbers, size_t count) {
	float greatest = 0;
	for (size_t i = 0; i < count; i++) greatest = std::max(greatest, std::abs(numbers[i]));
	return greatest;
}

Rounded RoundedRow(Integers integers, const Blocks& blocks, const std::vector<float>& row) {
	const float steps = integers == Integers::k16 ? 16383.0F : 127.0F;
	Rounded made;
	for (size_t block = 0; block < blocks.count; block++) {
		const size_t start = block * blocks.length, count = std::min(blocks.length, blocks.width - start);
		const float greatest = Greatest(row.data() + start, count);
		made.scales.push_back(greatest / steps);
		for (size_t i = 0; i < count; i++) {
			made.numbers.push_back(std::lrint(row[start + i] * (greatest > 0 ? steps / greatest : 0.0F)));
		}
	}
	return made;
}

/** With one scale for the whole row. */
Rounded RoundedWeights(Integers integers, const Blocks& blocks, const std::vector<float>& row) {
	float heaviest = 0;
	for (size_t start = 0; start < blocks.width; start += blocks.length) {
		float weight = 0;
		for (size_t i = start; i < std::min(blocks.width, start + blocks.length); i++) weight += std::abs(row[i]);
		heaviest = std::max(heaviest, weight);
	}
	const float greatest = Greatest(row.data(), row.size());
	const float most = 2147483647.0F / 16383 - 1 - static_cast<float>(blocks.length) / 2;
	const float scale = integers == Integers::k16 ? std::max(greatest / 32767, heaviest / most) : greatest / 127;
	Rounded made{{}, {scale}};
	for (const float number : row) made.numbers.push_back(std::lrint(number / scale));
	return made;
}

void TestIntegers(Integers integers, size_t rows, size_t columns, size_t count) {
	Noise noise(static_cast<uint32_t>(rows + columns + count));
	const Blocks blocks(integers, columns);
	std::vector<std::vector<float>> weights, vectors;
	for (size_t row = 0; row < rows; row++) weights.push_back(noise.Some(columns, 0.1F));
	for (size_t v = 0; v < count; v++) vectors.push_back(noise.Some(columns, 3));
	const std::vector<float> bias = noise.Some(rows);
	const IntMatrix matrix(integers, rows, 1, blocks,
		[&](size_t n, float* numbers) { std::copy(weights[n].begin(), weights[n].end(), numbers); }, bias.data());
	const size_t bytes = RowBytes(integers, blocks);
	std::vector<uint8_t> numbers(count * bytes);
	std::vector<float> scales(count * blocks.count), out(count * rows, NAN);
	for (size_t v = 0; v < count; v++) {
		RoundRow(integers, blocks, vectors[v].data(), numbers.data() + v * bytes, scales.data() + v * blocks.count);
	}
	matrix.Multiply({numbers.data(), bytes, scales.data(), blocks.count}, count, out.data(), rows);
	for (size_t v = 0; v < count; v++) {
		const Rounded vector = RoundedRow(integers, blocks, vectors[v]);
		for (size_t row = 0; row < rows; row++) {
			const Rounded weight = RoundedWeights(integers, blocks, weights[row]);
			double sum = bias[row], size = std::abs(bias[row]), exact = bias[row];
			for (size_t i = 0; i < columns; i++) {
				const double product = static_cast<double>(vector.numbers[i] * weight.numbers[i]) *
					vector.scales[i / blocks.length] * weight.scales[0];
				sum += product;
				size += std::abs(product);
				exact += static_cast<double>(vectors[v][i]) * weights[row][i];
			}
			// The scale of 16 bits depends on the order of a sum too, and ties may be rounded either way.
			const double step = integers == Integers::k8
				? 0
				: static_cast<double>(weight.scales[0]) * Greatest(vectors[v].data(), columns);
			ExpectNear(out[v * rows + row], sum, size, "integers, row " + std::to_string(row), step);
			const double loss = integers == Integers::k16 ? 1e-4 : 2e-2;
			EXPECT_THAT(std::abs(sum - exact) <= loss * size, "rounding to cost no more than " + std::to_string(loss));
		}
	}
}

void TestQ8(size_t rows, size_t columns, size_t count, size_t parts) {
	Noise noise(static_cast<uint32_t>(rows + columns + count));
	constexpr size_t kBlock = 32;
	std::vector<Line> memory(Q8Matrix::Lines(rows, columns));
	const Q8Matrix matrix(rows, columns, memory.data());
	const size_t bytes = ggml_row_size(GGML_TYPE_Q8_0, static_cast<int64_t>(columns));
	std::vector<std::vector<float>> weights, vectors, products(count, std::vector<float>(rows, NAN));
	for (size_t row = 0; row < rows; row++) {
		const std::vector<float> numbers = noise.Some(columns);
		std::vector<uint8_t> blocks(bytes);
		ggml_quantize_chunk(GGML_TYPE_Q8_0, numbers.data(), blocks.data(), 0, 1, static_cast<int64_t>(columns), nullptr);
		Q8Matrix::SetRow(memory.data(), columns, row, blocks.data());
		weights.emplace_back(columns);
		ggml_get_type_traits(GGML_TYPE_Q8_0)->to_float(blocks.data(), weights.back().data(), static_cast<int64_t>(columns));
		std::vector<float> read(columns);
		matrix.ReadRow(row, read.data());
		EXPECT(read == weights.back());
	}
	for (size_t v = 0; v < count; v++) vectors.push_back(noise.Some(columns));
	for (size_t part = 0; part < parts; part++) {
		matrix.Multiply(Pointers(std::as_const(vectors)).data(), Pointers(products).data(), count, part, parts);
	}
	// The same bits as alone.
	std::vector<float> alone(rows);
	for (size_t v = 0; v < count; v++) {
		const float* vector = vectors[v].data();
		float* to = alone.data();
		matrix.Multiply(&vector, &to, 1);
		EXPECT(alone == products[v]);
	}
	for (size_t v = 0; v < count; v++) {
		for (size_t row = 0; row < rows; row++) {
			double sum = 0, size = 0;
			for (size_t i = 0; i < columns; i++) {
				const float greatest = Greatest(vectors[v].data() + i / kBlock * kBlock, kBlock);
				const double rounded = std::lrint(vectors[v][i] * (127.0F / greatest)) * static_cast<double>(greatest / 127.0F);
				sum += rounded * weights[row][i];
				size += std::abs(rounded * weights[row][i]);
			}
			ExpectNear(products[v][row], sum, size, "Q8_0, row " + std::to_string(row));
		}
	}
}

}  // namespace

TEST("half floats times vectors match plain loops, in every register width") {
	for (const Kernels widest : {Kernels::kAvx2, Kernels::kAvx512}) {
		if (widest > WidestKernels()) continue;
		for (const size_t rows : {1, 5, 32, 67}) {
			for (const size_t columns : {16, 384, 1040}) {
				for (const size_t count : {1, 2, 5, 6, 7, 13}) TestHalves(widest, rows, columns, count);
			}
		}
	}
}

TEST("integer products of 16 and 8 bits match plain loops") {
	if (!HasIntegers()) return;
	for (const Integers integers : {Integers::k16, Integers::k8}) {
		for (const size_t rows : {1, 32, 33, 80}) {
			for (const size_t columns : {16, 64, 80, 140, 384}) {
				for (const size_t count : {1, 5, 6, 13, 16, 37}) TestIntegers(integers, rows, columns, count);
			}
		}
	}
}

TEST("interleaved Q8_0 matches plain loops over ggml's numbers") {
	if (!HasIntegers()) return;
	for (const size_t rows : {1, 31, 32, 100}) {
		for (const size_t columns : {32, 384}) {
			for (const size_t count : {1, 3, 4, 9}) {
				for (const size_t parts : {1, 3}) TestQ8(rows, columns, count, parts);
			}
		}
	}
}

TEST("GELU matches its definition by the error function") {
	if (WidestKernels() < Kernels::kAvx512) return;
	std::vector<float> numbers;
	for (float x = -12; x <= 12; x += 0.0037F) numbers.push_back(x);
	std::vector<float> made(numbers.size());
	Gelu(numbers.data(), numbers.size(), made.data());
	for (size_t i = 0; i < numbers.size(); i++) {
		const double x = numbers[i], wanted = x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
		EXPECT_THAT(std::abs(made[i] - wanted) <= 4e-7 * std::abs(x) + 1e-9,
			std::to_string(wanted) + " at " + std::to_string(x) + ", got " + std::to_string(made[i]));
	}
}

TEST("the widest kernels are those of the processor, limited by EARSHOT_KERNELS") {
	const std::vector<std::string> flags = ProcessorFlags();
	const bool has = std::find(flags.begin(), flags.end(), "avx512_vnni") != flags.end();
	EXPECT(HasIntegers() == (WidestKernels() >= Kernels::kVnni));
	if (!has) EXPECT(WidestKernels() < Kernels::kVnni);
	if (const char* asked = std::getenv("EARSHOT_KERNELS")) {
		for (size_t at = 0; at < std::size(kKernelNames); at++) {
			if (std::strcmp(asked, kKernelNames[at]) == 0) EXPECT(static_cast<size_t>(WidestKernels()) <= at);
		}
	}
}

}  // namespace earshot::tests
