# Builds against an older C library (EARSHOT_SYSROOT), so that binaries run on older systems.

if(EARSHOT_SYSROOT)
	set(libraries "${EARSHOT_SYSROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
	set(libraries_too "${EARSHOT_SYSROOT}/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
	add_compile_options("--sysroot=${EARSHOT_SYSROOT}")
	if(CMAKE_CROSSCOMPILING)
		# A cross compiler searches the headers of its own, newer C library before those of a sysroot: keep only GCC's.
		add_compile_options(-nostdinc)
		foreach(language C CXX)
			set(headers ${CMAKE_${language}_IMPLICIT_INCLUDE_DIRECTORIES})
			list(FILTER headers INCLUDE REGEX "/c\\+\\+/|/gcc")
			list(APPEND headers "${EARSHOT_SYSROOT}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}"
				"${EARSHOT_SYSROOT}/usr/include")
			foreach(folder ${headers})
				add_compile_options("$<$<COMPILE_LANGUAGE:${language}>:SHELL:-isystem ${folder}>")
			endforeach()
		endforeach()
	endif()
	# Otherwise the compiler searches its own system's folders first.
	add_link_options("--sysroot=${EARSHOT_SYSROOT}" "-B${libraries}" "-L${libraries}" "-L${libraries_too}")
endif()

# Links the addon `target` for the sysroot's C library.
function(earshot_link_sysroot target)
	target_sources(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/platform/old_glibc.c")
	# CMake found them in libc, where a newer glibc has them.
	target_link_libraries(${target} PRIVATE pthread dl m)
	target_link_options(${target} PRIVATE -Wl,--wrap=exp -Wl,--wrap=exp2 -Wl,--wrap=log -Wl,--wrap=log2 -Wl,--wrap=pow)
endfunction()
