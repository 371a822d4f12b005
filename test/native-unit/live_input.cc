// Live audio: decoding and resampling, however it is cut.
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "audio/live_input.h"
#include "check.h"

namespace earshot::tests {

namespace {

std::vector<uint8_t> Bytes(size_t count) {
	std::vector<uint8_t> bytes(count);
	uint32_t state = 1;
	for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((state = state * 1664525U + 1013904223U) >> 24);
	return bytes;
}

/** In pieces of sizes that repeat. */
std::vector<float> Heard(PcmEncoding encoding, int rate, const std::vector<uint8_t>& bytes, const std::vector<size_t>& sizes) {
	LiveInput input(encoding, rate);
	std::vector<float> out;
	size_t at = 0;
	for (size_t i = 0; at < bytes.size(); i++) {
		const size_t size = std::min(sizes[i % sizes.size()], bytes.size() - at);
		input.Push(bytes.data() + at, size, false, out);
		at += size;
	}
	input.Push(nullptr, 0, true, out);
	return out;
}

std::vector<uint8_t> Sine(int rate, double hertz, double seconds) {
	std::vector<uint8_t> bytes;
	for (int i = 0; i < rate * seconds; i++) {
		const auto sample = static_cast<int16_t>(std::lround(16'384 * std::sin(2 * std::numbers::pi * hertz * i / rate)));
		bytes.push_back(static_cast<uint8_t>(sample & 0xff));
		bytes.push_back(static_cast<uint8_t>((sample >> 8) & 0xff));
	}
	return bytes;
}

}  // namespace

TEST("live audio gives the same samples to the last bit, however it is cut") {
	for (const int rate : {8000, 11'025, 16'000, 22'050, 24'000, 44'100, 48'000, 96'000}) {
		for (const PcmEncoding encoding : {PcmEncoding::kPcm16, PcmEncoding::kPcmu, PcmEncoding::kPcma}) {
			const std::vector<uint8_t> bytes = Bytes(20'000);
			const std::vector<float> whole = Heard(encoding, rate, bytes, {bytes.size()});
			EXPECT(whole == Heard(encoding, rate, bytes, {1}));
			EXPECT(whole == Heard(encoding, rate, bytes, {3, 1, 4001, 2, 7}));
		}
	}
}

TEST("live audio lasts as long at 16 kHz as before") {
	for (const int rate : {8000, 11'025, 24'000, 44'100, 48'000}) {
		const std::vector<float> heard = Heard(PcmEncoding::kPcm16, rate, Bytes(2 * static_cast<size_t>(rate)), {4096});
		EXPECT(heard.size() == 16'000);
	}
}

TEST("a tone keeps its phase and its loudness, and one above 8 kHz is gone") {
	for (const int rate : {8000, 24'000, 44'100, 48'000}) {
		const std::vector<float> heard = Heard(PcmEncoding::kPcm16, rate, Sine(rate, 1000, 1), {4096});
		double worst = 0;
		for (size_t i = 200; i + 200 < heard.size(); i++) {
			const double expected = 0.5 * std::sin(2 * std::numbers::pi * 1000 * static_cast<double>(i) / 16'000);
			worst = std::max(worst, std::abs(heard[i] - expected));
		}
		EXPECT_THAT(worst < 0.001, "an error below 0.001 at " + std::to_string(rate) + ", got " + std::to_string(worst));
	}
	const std::vector<float> heard = Heard(PcmEncoding::kPcm16, 48'000, Sine(48'000, 10'000, 1), {4096});
	double loudest = 0;
	for (size_t i = 200; i + 200 < heard.size(); i++) loudest = std::max(loudest, std::abs(static_cast<double>(heard[i])));
	EXPECT_THAT(loudest < 0.0005, "a tone of 10 kHz below 0.0005, got " + std::to_string(loudest));
}

TEST("G.711 is decoded as ITU-T has it") {
	const auto of = [](PcmEncoding encoding, uint8_t byte) {
		return static_cast<int>(std::lround(Heard(encoding, 16'000, {byte}, {1}).at(0) * 32'768));
	};
	EXPECT(of(PcmEncoding::kPcmu, 0xff) == 0);
	EXPECT(of(PcmEncoding::kPcmu, 0x80) == 32'124);
	EXPECT(of(PcmEncoding::kPcmu, 0x00) == -32'124);
	EXPECT(of(PcmEncoding::kPcma, 0xd5) == 8);
	EXPECT(of(PcmEncoding::kPcma, 0xaa) == 32'256);
	EXPECT(of(PcmEncoding::kPcma, 0x2a) == -32'256);
}

}  // namespace earshot::tests
