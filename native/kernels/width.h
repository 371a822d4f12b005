// Which of our kernels this processor can run.
#pragma once

namespace earshot {

/** What a kernel of ours needs of the processor; each has all before it. Whichever level ggml is built for, they are
 * chosen when the program runs. */
enum class Kernels {
	/** None of ours: ggml's alone. */
	kNone,
	/** AVX2, FMA and F16C. */
	kAvx2,
	/** AVX-512 F, BW, DQ and VL. */
	kAvx512,
	/** AVX-512 VNNI. */
	kVnni,
	/** AMX with products of bytes, where the system lets the process use it. */
	kAmx,
};

/** What the widest kernels are called, e.g. for EARSHOT_KERNELS; in their order. */
constexpr const char* kKernelNames[] = {"none", "avx2", "avx512", "vnni", "amx"};

/** The widest that this processor has, in a build that has kernels at all; no more than EARSHOT_KERNELS names where it
 * is set, so that any processor can do as a lesser one does. The same for the life of the process. */
Kernels WidestKernels();

}  // namespace earshot
