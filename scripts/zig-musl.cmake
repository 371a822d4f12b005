# Builds for Linux with musl on a machine with glibc: `node scripts/prebuild.mjs --libc musl`. The tools are zig's, which
# carries musl and a C++ library; scripts/target.mjs makes a file of each.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(tools "${CMAKE_CURRENT_LIST_DIR}/../build/tools/linux-x64-musl")
set(CMAKE_C_COMPILER "${tools}/cc")
set(CMAKE_CXX_COMPILER "${tools}/c++")
set(CMAKE_AR "${tools}/ar")
set(CMAKE_RANLIB "${tools}/ranlib")
# Nothing of this machine may be linked in.
set(CMAKE_FIND_ROOT_PATH "${tools}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
