// What every operating system does in its own way. platform_posix.cc and platform_windows.cc hold one half each, and
// nothing else in native/ asks which system it is. Paths are UTF-8 on all of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/failure.h"

namespace earshot {

/** A regular file, read by position. Any thread. */
class File {
public:
	/** A failure of `code` names the path and says why: it is not there, or no regular file. Never waits for anybody. */
	static Expected<std::unique_ptr<File>> Open(const std::string& path, const char* code);
	virtual ~File() = default;

	/** When it was opened. */
	virtual int64_t size() const = 0;
	/** Bytes read at `position`, which may be fewer than asked for; 0 at the end, negative on an error of the disk. */
	virtual int64_t Read(int64_t position, void* into, int64_t count) const = 0;
};

/** A library that stays loaded. Its symbols are visible to no other library. */
class SharedLibrary {
public:
	/** File names of a library `name` here: `libname.so`, `libname.dylib`, `name.dll`. */
	static std::string FileName(const std::string& name);
	/** By its full path, so that no other of the same name is taken; what it needs is looked for beside it. A failure
	 * (engine_missing) is the system's own words. */
	static Expected<SharedLibrary> Open(const std::string& path);

	/** Null where it has none of that name. */
	void* Find(const char* symbol) const;

private:
	explicit SharedLibrary(void* handle) : handle_(handle) {}

	void* handle_;
};

/**
 * Has `on_text` called with whatever C code of any library prints to `stderr`, on the thread that prints; it is printed
 * all the same. Only glibc lets that be: elsewhere it is never called.
 */
void OnStderr(void (*on_text)(const char* bytes, size_t size));

/**
 * Lets go of resident pages that lie wholly in the range, of memory that is not shared; a reader of them afterwards
 * reads zeros. Bytes let go: 0 where the system has no such thing for memory of the heap, as Windows and macOS.
 */
size_t ReleasePages(char* begin, char* end);

/** Asks for large pages behind the range, which is of the heap and read again and again from one end to the other: with
 * small ones the processor spends half its time on finding where they are. Nothing happens where there are none. */
void PreferLargePages(char* begin, char* end);

/** For as long as it lives, this thread and those it makes let others go before them where there are more than cores. */
void GoInBackground();

/** Gives back to the system what the heap holds free, where it would keep it otherwise. */
void TrimHeap();

/** What Linux tells programs of the processor (AT_HWCAP and AT_HWCAP2); elsewhere nothing. */
std::array<uint64_t, 2> HardwareCapabilities();

/** Asks the system for the use of AMX's tiles, for this process and for good: Linux wants to be asked, since they are
 * 8 KiB more to save for each thread. False where it does not give it, and on other systems. */
bool MayUseTiles();

}  // namespace earshot
