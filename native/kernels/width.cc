#include "kernels/width.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/vectors.h"
#include "platform/cpu.h"
#include "platform/platform.h"

namespace earshot {

namespace {

Kernels Asked() {
	const char* requested = std::getenv("EARSHOT_KERNELS");
	const auto* end = std::end(kKernelNames);
	const auto* name = requested == nullptr ? end : std::find(std::begin(kKernelNames), end, std::string_view(requested));
	return name == end ? Kernels::kAmx : static_cast<Kernels>(name - std::begin(kKernelNames));
}

Kernels Widest() {
#ifdef EARSHOT_VECTORS
	const std::vector<std::string> flags = ProcessorFlags();
	const auto has = [&flags](std::initializer_list<const char*> wanted) {
		return std::all_of(wanted.begin(), wanted.end(),
			[&flags](const char* flag) { return std::find(flags.begin(), flags.end(), flag) != flags.end(); });
	};
	if (!has({"avx", "avx2", "fma", "f16c"})) return Kernels::kNone;
	if (!has({"avx512f", "avx512bw", "avx512dq", "avx512vl"})) return Kernels::kAvx2;
	if (!has({"avx512_vnni"})) return Kernels::kAvx512;
	return has({"amx_tile", "amx_int8"}) && MayUseTiles() ? Kernels::kAmx : Kernels::kVnni;
#else
	return Kernels::kNone;
#endif
}

}  // namespace

Kernels WidestKernels() {
	static const Kernels kernels = std::min(Widest(), Asked());
	return kernels;
}

}  // namespace earshot
