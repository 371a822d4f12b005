@rem Windows starts no file by its first line: for prebuildify there.
@node "%~dp0prebuildify-cmake.cjs" %*
