# ggml, from the sources of whisper.cpp, for the chosen processor level and GPUs.

set(WHISPER_DIR "${CMAKE_CURRENT_SOURCE_DIR}/vendor/whisper.cpp")
if(NOT EXISTS "${WHISPER_DIR}/src/whisper.cpp")
	message(FATAL_ERROR "vendor/whisper.cpp is not there; run: npm run vendor")
endif()

set(BUILD_SHARED_LIBS OFF CACHE BOOL "" FORCE)
# Matrix products of the encoder: 1.5 to 2.5 times as fast as ggml's own for F16 and Q8_0.
set(GGML_LLAMAFILE ON CACHE BOOL "" FORCE)
set(GGML_CPU_REPACK ON CACHE BOOL "" FORCE)
# Each state has its own thread pool: with OpenMP's shared one concurrent clips spin against each other.
set(GGML_OPENMP OFF CACHE BOOL "" FORCE)
set(GGML_CCACHE OFF CACHE BOOL "" FORCE)
set(GGML_ALL_WARNINGS OFF CACHE BOOL "" FORCE)
set(GGML_CUDA ${EARSHOT_CUDA} CACHE BOOL "" FORCE)
set(GGML_CUDA_NCCL OFF CACHE BOOL "" FORCE)
set(GGML_METAL ${EARSHOT_METAL} CACHE BOOL "" FORCE)
set(GGML_METAL_EMBED_LIBRARY ${EARSHOT_METAL} CACHE BOOL "" FORCE)
set(GGML_VULKAN ${EARSHOT_VULKAN} CACHE BOOL "" FORCE)
if(NOT APPLE)
	set(GGML_BLAS OFF CACHE BOOL "" FORCE)
endif()
earshot_choose_level(level "${EARSHOT_LEVEL}")
earshot_use_level("${level}")
message(STATUS "Processor level: ${level}")
# Otherwise ggml takes this repository's commit for its own and recompiles after each commit.
set(GIT_EXE "" CACHE FILEPATH "" FORCE)
add_subdirectory("${WHISPER_DIR}/ggml" ggml EXCLUDE_FROM_ALL)
if(NOT WIN32)
	set(relax "${CMAKE_CURRENT_SOURCE_DIR}/native/platform/relax.h")
	set_source_files_properties("${WHISPER_DIR}/ggml/src/ggml-cpu/ggml-cpu.c" TARGET_DIRECTORY ggml-cpu
		PROPERTIES COMPILE_OPTIONS "-include;${relax}" OBJECT_DEPENDS "${relax}")
endif()

file(STRINGS "${WHISPER_DIR}/CMakeLists.txt" whisper_project REGEX "\"whisper.cpp\" VERSION")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" WHISPER_VERSION "${whisper_project}")
