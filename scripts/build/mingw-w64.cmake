# Builds for Windows x64 on Linux, with Debian's g++-mingw-w64-x86-64-posix:
#
#   npm run build:native -- --CDCMAKE_TOOLCHAIN_FILE=scripts/build/mingw-w64.cmake
#
# What is released is built by Microsoft's compiler; this shows on Linux that the sources build, and runs them under wine.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
# The build with threads of POSIX: the other one has no std::thread.
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
# The stack of Windows is aligned to 16 bytes, and GCC spills AVX registers onto it as if to 32 (GCC bug 54412).
# Windows 7 for C: ggml-cpu.c needs newer functions from headers that this compiler lacks.
set(CMAKE_C_FLAGS_INIT "-D_WIN32_WINNT=0x0601 -Wa,-muse-unaligned-vector-move")
set(CMAKE_CXX_FLAGS_INIT "-Wa,-muse-unaligned-vector-move")
