// The operating system: posix.cc, shared_file.cc and windows.cc implement this header, and nothing else in native/ depends
// on the system. Paths are UTF-8 everywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/failure.h"

namespace earshot {

/** A regular file, read by position. Any thread. */
class File {
public:
	/** A failure has `code`, the path and the reason, e.g. that it is not a regular file. Never blocks. */
	static Expected<std::unique_ptr<File>> Open(const std::string& path, const char* code);
	virtual ~File() = default;

	/** Bytes, when it was opened. */
	virtual int64_t size() const = 0;
	/** Returns the bytes read at `position`, possibly fewer than `count`; 0 at the end, negative on a disk error. */
	virtual int64_t Read(int64_t position, void* into, int64_t count) const = 0;
};

/** A file's contents, of which the system keeps one copy in memory for all processes that map it. Read-only. */
class SharedFile {
public:
	struct Part {
		const char* data;
		size_t size;
	};

	/**
	 * Maps the file `path` after comparing it with `parts`: one after the other, each from the next multiple of 64 bytes on.
	 * A file that is missing, has other contents, belongs to another user or may be written by others is replaced; processes
	 * that do so at the same time end with the same file. A failure (`code`) has the reason, e.g. that the disk is full.
	 */
	static Expected<std::unique_ptr<SharedFile>> Map(
		const std::string& path, const std::vector<Part>& parts, const char* code);
	virtual ~SharedFile() = default;

	/** Where each part is. */
	const std::vector<const char*>& parts() const { return parts_; }

protected:
	std::vector<const char*> parts_;
};

/** A library that is never unloaded, and whose symbols no other library sees (RTLD_LOCAL). */
class SharedLibrary {
public:
	/** File name of the library `name` on this system: `libname.so`, `libname.dylib`, `name.dll`. */
	static std::string FileName(const std::string& name);
	/** `path` is absolute, so that no other library of the same name is found; dependencies are searched for beside it.
	 * A failure (engine_missing) has the system's message. */
	static Expected<SharedLibrary> Open(const std::string& path);

	/** Null if there is no such symbol. */
	void* Find(const char* symbol) const;

private:
	explicit SharedLibrary(void* handle) : handle_(handle) {}

	void* handle_;
};

/**
 * From now on `on_text` receives everything that C code prints to `stderr`, on the printing thread; it is still
 * printed. Works only with glibc: elsewhere `on_text` is never called.
 */
void CaptureStderr(void (*on_text)(const char* bytes, size_t size));

/**
 * Returns the physical pages that lie entirely in the range of private memory to the system; they read as zeros
 * afterwards. Returns the bytes released: 0 if the system cannot do this with heap memory (Windows, macOS).
 */
size_t ReleasePages(char* begin, char* end);

/** Backs the range, heap memory that is read sequentially again and again, with huge pages: with small ones half of the
 * time goes into TLB misses. Does nothing where the system has none. */
void UseHugePages(char* begin, char* end);

/** Runs this thread, and threads it creates, at lower OS priority from now on. It cannot be undone. */
void LowerThreadPriority();

/** Returns free heap memory to the system, if the C library would keep it. */
void TrimHeap();

/** Linux's AT_HWCAP and AT_HWCAP2; zeros elsewhere. */
std::array<uint64_t, 2> HardwareCapabilities();

/** Requests permission to use AMX tiles in this process, which Linux requires since they add 8 KiB of state per thread.
 * False if refused, and on other systems. */
bool MayUseTiles();

}  // namespace earshot
