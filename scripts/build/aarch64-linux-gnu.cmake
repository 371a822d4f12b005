# Builds for Linux on ARM on another processor, with Debian's g++-aarch64-linux-gnu: `node scripts/build/prebuild.mjs --arch arm64`.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Nothing of this machine may be linked in, nor of the compiler's own C library, which is newer than the sysroot's.
set(CMAKE_FIND_ROOT_PATH "${EARSHOT_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
