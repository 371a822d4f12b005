# The processor level that a build assumes: one of levels.json, never -march=native. With that, ggml keeps weights in its own
# buffer types (AMX) and accumulates half floats in half precision (AVX512-FP16), so that results depend on the machine
# that built it.

file(READ "${CMAKE_CURRENT_SOURCE_DIR}/levels.json" LEVELS_JSON)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/levels.json")

# The strings of the array at a path in levels.json; empty if there is none.
function(earshot_strings out)
	set(strings "")
	string(JSON count ERROR_VARIABLE missing LENGTH "${LEVELS_JSON}" ${ARGN})
	if(NOT missing AND count GREATER 0)
		math(EXPR last "${count} - 1")
		foreach(at RANGE ${last})
			string(JSON each GET "${LEVELS_JSON}" ${ARGN} ${at})
			list(APPEND strings "${each}")
		endforeach()
	endif()
	set(${out} "${strings}" PARENT_SCOPE)
endfunction()

# Platform of the build in Node's terms, e.g. linux-x64.
function(earshot_platform out)
	set(system "${CMAKE_SYSTEM_NAME}")
	string(REPLACE "Windows" "win32" system "${system}")
	string(TOLOWER "${system}" system)
	set(arch "${CMAKE_SYSTEM_PROCESSOR}")
	if(APPLE AND CMAKE_OSX_ARCHITECTURES)
		set(arch "${CMAKE_OSX_ARCHITECTURES}")
	endif()
	if(arch MATCHES "^(x86_64|AMD64|amd64)$")
		set(arch x64)
	elseif(arch MATCHES "^(aarch64|arm64|ARM64)$")
		set(arch arm64)
	endif()
	set(${out} "${system}-${arch}" PARENT_SCOPE)
endfunction()

# Instruction sets of the building machine's processor, by native/platform/cpu.cc; empty if they cannot be detected.
function(earshot_processor_flags out)
	set(${out} "" PARENT_SCOPE)
	if(CMAKE_CROSSCOMPILING)
		return()
	endif()
	set(folder "${CMAKE_CURRENT_BINARY_DIR}/processor-flags")
	file(WRITE "${folder}/main.cc" "#include <cstdio>
#include \"platform/cpu.h\"
int main() { for (const auto& flag : earshot::ProcessorFlags()) std::printf(\"%s;\", flag.c_str()); }
")
	set(system posix)
	if(WIN32)
		set(system windows)
	endif()
	try_compile(compiled "${folder}"
		SOURCES "${folder}/main.cc" "${CMAKE_CURRENT_SOURCE_DIR}/native/platform/cpu.cc"
			"${CMAKE_CURRENT_SOURCE_DIR}/native/platform/${system}.cc"
		CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${CMAKE_CURRENT_SOURCE_DIR}/native"
		LINK_LIBRARIES ${CMAKE_DL_LIBS} COPY_FILE "${folder}/flags.exe" CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON)
	if(compiled)
		execute_process(COMMAND "${folder}/flags.exe" OUTPUT_VARIABLE flags RESULT_VARIABLE ended)
		if(ended EQUAL 0)
			set(${out} "${flags}" PARENT_SCOPE)
		endif()
	endif()
endfunction()

# The level to build for: `wanted` if given, else the highest that this processor supports, else the lowest. Empty on a
# platform without levels: the compiler's default.
function(earshot_choose_level out wanted)
	earshot_platform(platform)
	earshot_strings(names platforms ${platform})
	if(wanted)
		if(NOT wanted IN_LIST names)
			message(FATAL_ERROR "Expected `EARSHOT_LEVEL` to be a level of ${platform} (${names}), got `${wanted}`")
		endif()
		set(${out} "${wanted}" PARENT_SCOPE)
		return()
	endif()
	set(${out} "" PARENT_SCOPE)
	if(names)
		earshot_processor_flags(flags)
	endif()
	foreach(name IN LISTS names)
		earshot_strings(needs levels ${name} needs)
		list(REMOVE_ITEM needs none ${flags})
		set(${out} "${name}" PARENT_SCOPE)
		if(NOT needs)
			return()
		endif()
	endforeach()
endfunction()

# Sets ggml's options to those of a level; without one, to the compiler's default.
function(earshot_use_level level)
	set(GGML_NATIVE OFF CACHE BOOL "" FORCE)
	earshot_strings(assumed levels "${level}" ggml)
	foreach(feature SSE42 AVX AVX2 BMI2 FMA F16C AVX_VNNI AVX512 AVX512_VBMI AVX512_VNNI AVX512_BF16 AMX_TILE AMX_INT8
			AMX_BF16)
		if(feature IN_LIST assumed)
			set(GGML_${feature} ON CACHE BOOL "" FORCE)
		else()
			set(GGML_${feature} OFF CACHE BOOL "" FORCE)
		endif()
	endforeach()
	set(march "")
	if(level)
		string(JSON march ERROR_VARIABLE missing GET "${LEVELS_JSON}" levels "${level}" march)
		if(missing)
			set(march "")
		endif()
	endif()
	set(GGML_CPU_ARM_ARCH "${march}" CACHE STRING "" FORCE)
endfunction()
