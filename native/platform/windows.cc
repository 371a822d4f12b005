// Windows. Node uses UTF-8 and the system UTF-16; the narrow (ANSI) functions depend on the active code page.
#include "platform/platform.h"

#include <algorithm>
#include <cstring>

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

namespace earshot {

namespace {

/** Empty if the text is not UTF-8. */
std::wstring Wide(const std::string& text) {
	const int size = static_cast<int>(text.size());
	const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), size, nullptr, 0);
	std::wstring wide(static_cast<size_t>(std::max(0, length)), L'\0');
	MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), size, wide.data(), length);
	return wide;
}

std::string Narrow(const wchar_t* text, int size) {
	const int length = WideCharToMultiByte(CP_UTF8, 0, text, size, nullptr, 0, nullptr, nullptr);
	std::string narrow(static_cast<size_t>(std::max(0, length)), '\0');
	WideCharToMultiByte(CP_UTF8, 0, text, size, narrow.data(), length, nullptr, nullptr);
	return narrow;
}

/** Why this thread's last system call failed. */
std::string LastError() {
	const DWORD error = GetLastError();
	wchar_t text[512];
	DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK,
		nullptr, error, 0, text, static_cast<DWORD>(std::size(text)), nullptr);
	while (length > 0 && text[length - 1] <= L' ') length--;
	if (length == 0) return "error " + std::to_string(error);
	return Narrow(text, static_cast<int>(length)) + " (error " + std::to_string(error) + ")";
}

/** Absolute, with backslashes; paths beyond 260 characters in the `\\?\` form. Empty on failure. */
std::wstring FullPath(const std::string& path) {
	const std::wstring wide = Wide(path);
	if (wide.empty()) return wide;
	std::wstring full(GetFullPathNameW(wide.c_str(), 0, nullptr, nullptr), L'\0');
	const DWORD length = GetFullPathNameW(wide.c_str(), static_cast<DWORD>(full.size()), full.data(), nullptr);
	if (length == 0 || length >= full.size()) return L"";
	full.resize(length);
	const bool plain = !full.starts_with(L"\\\\");
	return full.size() >= MAX_PATH - 1 && plain ? L"\\\\?\\" + full : full;
}

class HandleFile final : public File {
public:
	explicit HandleFile(HANDLE handle) : handle_(handle) {}
	HandleFile(const HandleFile&) = delete;
	HandleFile& operator=(const HandleFile&) = delete;
	~HandleFile() override { CloseHandle(handle_); }

	/** Reads its size. Returns why the file cannot be read, or an empty string. */
	std::string Check() {
		if (GetFileType(handle_) != FILE_TYPE_DISK) return "it is not a regular file";
		LARGE_INTEGER size{};
		if (GetFileSizeEx(handle_, &size) == 0) return LastError();
		size_ = size.QuadPart;
		return "";
	}

	int64_t size() const override { return size_; }
	int64_t Read(int64_t position, void* into, int64_t count) const override {
		OVERLAPPED at{};
		at.Offset = static_cast<DWORD>(position & 0xFFFFFFFF);
		at.OffsetHigh = static_cast<DWORD>(position >> 32);
		DWORD got = 0;
		const auto most = static_cast<DWORD>(std::min<int64_t>(count, int64_t{1} << 30));
		if (ReadFile(handle_, into, most, &got, &at) != 0) return got;
		return GetLastError() == ERROR_HANDLE_EOF ? 0 : -1;
	}

private:
	const HANDLE handle_;
	int64_t size_ = 0;
};

}  // namespace

Expected<std::unique_ptr<File>> File::Open(const std::string& path, const char* code) {
	const auto refuse = [&](const std::string& why) { return Failure{code, "cannot open " + path + ": " + why}; };
	const std::wstring full = FullPath(path);
	if (full.empty()) return refuse("it is not a valid path");
	// As on other systems, others may write or delete the file while it is open.
	const HANDLE handle = CreateFileW(full.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
		nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
	if (handle == INVALID_HANDLE_VALUE) return refuse(LastError());
	auto file = std::make_unique<HandleFile>(handle);
	if (const std::string problem = file->Check(); !problem.empty()) return refuse(problem);
	return std::unique_ptr<File>(std::move(file));
}

Expected<std::unique_ptr<SharedFile>> SharedFile::Map(
	const std::string& path, const std::vector<Part>&, const char* code) {
	return Failure{code, "cannot map " + path + ": not supported on Windows"};
}

std::string SharedLibrary::FileName(const std::string& name) { return name + ".dll"; }

Expected<SharedLibrary> SharedLibrary::Open(const std::string& path) {
	const std::wstring full = FullPath(path);
	// Searches for dependencies in the library's folder first, before that of node.exe and System32.
	const HMODULE handle = full.empty() ? nullptr : LoadLibraryExW(full.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
	if (handle == nullptr) {
		return Failure{"engine_missing", path + ": " + (full.empty() ? "it is not a valid path" : LastError())};
	}
	return SharedLibrary(handle);
}

void* SharedLibrary::Find(const char* symbol) const {
	const FARPROC function = GetProcAddress(static_cast<HMODULE>(handle_), symbol);
	void* found = nullptr;
	std::memcpy(&found, &function, sizeof found);
	return found;
}

// Each library may link its own C runtime, with its own `stderr`.
void CaptureStderr(void (*)(const char*, size_t)) {}

// The Windows heap returns large blocks as they are freed.
void TrimHeap() {}
void LowerThreadPriority() { SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL); }

size_t ReleasePages(char*, char*) { return 0; }
// Large pages need a privilege.
void UseHugePages(char*, char*) {}

bool MayUseTiles() { return false; }

std::array<uint64_t, 2> HardwareCapabilities() { return {}; }

}  // namespace earshot
