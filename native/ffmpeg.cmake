# FFmpeg's libraries, by EARSHOT_FFMPEG: of the system, of a folder, or none.

if(WIN32)
	set(ffmpeg_by_default off)
else()
	set(ffmpeg_by_default system)
endif()
set(EARSHOT_FFMPEG ${ffmpeg_by_default} CACHE STRING
	"Decoding: system (FFmpeg's libraries by pkg-config), off (WAV only), or a folder that scripts/build/ffmpeg.mjs made")

# Compiles and links `target` with them.
function(earshot_use_ffmpeg target)
	if(EARSHOT_FFMPEG STREQUAL "system")
		find_package(PkgConfig REQUIRED)
		pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET GLOBAL
			libavformat>=59.27 libavcodec>=59.37 libswresample>=4.7 libavutil>=57.28)
		target_link_libraries(${target} PUBLIC PkgConfig::FFMPEG)
		target_compile_definitions(${target} PUBLIC EARSHOT_FFMPEG=1)
	elseif(NOT EARSHOT_FFMPEG STREQUAL "off")
		file(GLOB ffmpeg_library "${EARSHOT_FFMPEG}/libearshot-ffmpeg*" "${EARSHOT_FFMPEG}/lib/earshot-ffmpeg.lib")
		if(NOT ffmpeg_library)
			message(FATAL_ERROR "EARSHOT_FFMPEG: expected system, off or a folder of scripts/build/ffmpeg.mjs, got ${EARSHOT_FFMPEG}")
		endif()
		target_include_directories(${target} SYSTEM PUBLIC "${EARSHOT_FFMPEG}/include")
		target_link_libraries(${target} PUBLIC ${ffmpeg_library})
		target_compile_definitions(${target} PUBLIC EARSHOT_FFMPEG=1)
	endif()
endfunction()

# Copies FFmpeg's DLL beside the addon `target`, where Windows searches for it.
function(earshot_copy_ffmpeg target)
	if(WIN32 AND NOT EARSHOT_FFMPEG MATCHES "^(system|off)$")
		file(GLOB ffmpeg_library "${EARSHOT_FFMPEG}/earshot-ffmpeg.dll")
		add_custom_command(TARGET ${target} POST_BUILD VERBATIM
			COMMAND ${CMAKE_COMMAND} -E copy_if_different ${ffmpeg_library} $<TARGET_FILE_DIR:${target}>)
	endif()
endfunction()
