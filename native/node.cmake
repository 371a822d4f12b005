# Node-API: how the addon links against node, and what it exports.

# Links `target` against the program that loads it.
function(earshot_link_node target)
	if(MSVC AND CMAKE_JS_NODELIB_DEF)
		execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET} ${CMAKE_STATIC_LINKER_FLAGS}
			COMMAND_ERROR_IS_FATAL ANY)
	elseif(MINGW)
		# Imports from node.exe. If the program has another name, only the delay-load hook of cmake-js, which needs
		# Microsoft's linker, can redirect them.
		set(node_functions "${PROJECT_SOURCE_DIR}/node_modules/node-api-headers/def/node_api.def")
		set(node_library "${CMAKE_CURRENT_BINARY_DIR}/libnode.a")
		execute_process(COMMAND ${CMAKE_DLLTOOL} --input-def ${node_functions} --dllname node.exe --output-lib ${node_library}
			COMMAND_ERROR_IS_FATAL ANY)
		target_link_libraries(${target} PRIVATE ${node_library})
	endif()
endfunction()

# Links the C++ runtime statically and hides everything but Node-API's entry points.
function(earshot_hide_symbols target)
	if(MINGW)
		# Users do not have its C++ library. Only symbols marked for it are exported: Node-API's two functions.
		target_link_options(${target} PRIVATE -static -Wl,--gc-sections)
	elseif(NOT APPLE AND NOT MSVC)
		# Older distributions lack this compiler's libstdc++. libgcc stays shared: with a second unwinder of our own, exceptions
		# of ONNX Runtime abort the process.
		target_link_options(${target} PRIVATE -static-libstdc++ -shared-libgcc -Wl,--exclude-libs,ALL -Wl,--gc-sections
			"-Wl,--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/exports.map"
			# Never unload: FFmpeg and ggml keep pointers to our log functions, even after a worker thread has ended.
			-Wl,-z,nodelete)
	endif()
	set_target_properties(${target} PROPERTIES LINK_DEPENDS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/exports.map")
endfunction()
