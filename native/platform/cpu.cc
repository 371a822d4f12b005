#include "platform/cpu.h"

#include <array>
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

#include "platform/platform.h"

namespace earshot {

#if defined(__x86_64__) || defined(_M_X64)

namespace {

/** EAX, EBX, ECX and EDX of a CPUID leaf; zeros if the processor lacks it. */
std::array<uint32_t, 4> Leaf(uint32_t leaf, uint32_t part) {
	std::array<uint32_t, 4> registers{};
#if defined(_MSC_VER)
	int values[4];
	__cpuid(values, 0);
	if (static_cast<uint32_t>(values[0]) < leaf) return registers;
	__cpuidex(values, static_cast<int>(leaf), static_cast<int>(part));
	for (size_t i = 0; i < registers.size(); i++) registers[i] = static_cast<uint32_t>(values[i]);
#else
	__get_cpuid_count(leaf, part, &registers[0], &registers[1], &registers[2], &registers[3]);
#endif
	return registers;
}

/** XCR0: which registers the operating system saves on context switches. */
uint64_t SavedRegisters() {
#if defined(_MSC_VER)
	return _xgetbv(0);
#else
	// The intrinsic exists only in builds that assume the instruction.
	uint32_t low = 0;
	uint32_t high = 0;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return static_cast<uint64_t>(high) << 32 | low;
#endif
}

struct Flag {
	const char* name;
	uint32_t leaf;
	uint32_t part;
	int reg;
	int bit;
	/** Bits of SavedRegisters without which the instructions fault. */
	uint64_t saved;
};

constexpr uint64_t kYmm = 0x06;
constexpr uint64_t kZmm = 0xe6;
constexpr uint64_t kTiles = 0x60000;

constexpr Flag kFlags[] = {
	{"ssse3", 1, 0, 2, 9, 0},
	{"sse4_2", 1, 0, 2, 20, 0},
	{"popcnt", 1, 0, 2, 23, 0},
	{"fma", 1, 0, 2, 12, kYmm},
	{"avx", 1, 0, 2, 28, kYmm},
	{"f16c", 1, 0, 2, 29, kYmm},
	{"avx2", 7, 0, 1, 5, kYmm},
	{"bmi2", 7, 0, 1, 8, 0},
	{"avx512f", 7, 0, 1, 16, kZmm},
	{"avx512dq", 7, 0, 1, 17, kZmm},
	{"avx512cd", 7, 0, 1, 28, kZmm},
	{"avx512bw", 7, 0, 1, 30, kZmm},
	{"avx512vl", 7, 0, 1, 31, kZmm},
	{"avx512vbmi", 7, 0, 2, 1, kZmm},
	{"avx512_vnni", 7, 0, 2, 11, kZmm},
	{"amx_tile", 7, 0, 3, 24, kTiles},
	{"amx_int8", 7, 0, 3, 25, kTiles},
	{"avx_vnni", 7, 1, 0, 4, kYmm},
	{"avx512_bf16", 7, 1, 0, 5, kZmm},
};

}  // namespace

std::vector<std::string> ProcessorFlags() {
	constexpr uint32_t kHasXgetbv = 1u << 27;
	const uint64_t saved = (Leaf(1, 0)[2] & kHasXgetbv) != 0 ? SavedRegisters() : 0;
	std::vector<std::string> names;
	for (const Flag& flag : kFlags) {
		const bool has = (Leaf(flag.leaf, flag.part)[flag.reg] >> flag.bit & 1) != 0;
		if (has && (saved & flag.saved) == flag.saved) names.emplace_back(flag.name);
	}
	return names;
}

#else

std::vector<std::string> ProcessorFlags() {
	// Linux on ARM: bit numbers of the kernel's interface, since headers of an old C library lack some of the names.
	struct Flag {
		const char* name;
		int word;
		int bit;
	};
	constexpr Flag kFlags[] = {
		{"asimd", 0, 1},
		{"asimdhp", 0, 10},
		{"asimddp", 0, 20},
		{"sve", 0, 22},
		{"i8mm", 1, 13},
	};
	const std::array<uint64_t, 2> words = HardwareCapabilities();
	std::vector<std::string> names;
	for (const Flag& flag : kFlags) {
		if ((words[flag.word] >> flag.bit & 1) != 0) names.emplace_back(flag.name);
	}
	return names;
}

#endif

}  // namespace earshot
