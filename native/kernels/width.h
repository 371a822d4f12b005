// Which of our kernels this processor can run, chosen at run time.
#pragma once

namespace earshot {

/** Instruction sets that our kernels need; each includes the previous ones. Independent of the level ggml is built for. */
enum class Kernels {
	/** No kernels of ours, only ggml's. */
	kNone,
	/** AVX2, FMA and F16C. */
	kAvx2,
	/** AVX-512 F, BW, DQ and VL. */
	kAvx512,
	/** AVX-512 VNNI. */
	kVnni,
	/** AMX-INT8, if the system permits its use. */
	kAmx,
};

/** Names of Kernels, in order, e.g. for EARSHOT_KERNELS. */
constexpr const char* kKernelNames[] = {"none", "avx2", "avx512", "vnni", "amx"};

/** The widest that this processor and this build support, limited by the environment variable EARSHOT_KERNELS, with which
 * lesser processors can be tested. Constant within a process. */
Kernels WidestKernels();

}  // namespace earshot
