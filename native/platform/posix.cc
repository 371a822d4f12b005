// Linux and macOS.
#include "platform/platform.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#elif defined(__APPLE__)
#include <pthread.h>
#endif

#include "platform/descriptor.h"

namespace earshot {

namespace {

class PosixFile final : public File {
public:
	explicit PosixFile(int fd) : descriptor_(fd) {}

	/** Reads its size. Returns why the file cannot be read, or an empty string. */
	std::string Check() {
		struct stat stat {};
		if (::fstat(descriptor_.get(), &stat) != 0) return std::strerror(errno);
		if (!S_ISREG(stat.st_mode)) return "it is not a regular file";
		size_ = stat.st_size;
		return "";
	}

	int64_t size() const override { return size_; }
	int64_t Read(int64_t position, void* into, int64_t count) const override {
		ssize_t got;
		do {
			got = ::pread(descriptor_.get(), into, static_cast<size_t>(count), static_cast<off_t>(position));
		} while (got < 0 && errno == EINTR);
		return got;
	}

private:
	const Descriptor descriptor_;
	int64_t size_ = 0;
};

}  // namespace

Expected<std::unique_ptr<File>> File::Open(const std::string& path, const char* code) {
	const auto refuse = [&](const std::string& why) { return Failure{code, "cannot open " + path + ": " + why}; };
	// O_NONBLOCK: opening a FIFO would otherwise block until a writer opens it. Check refuses it.
	const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) return refuse(std::strerror(errno));
	auto file = std::make_unique<PosixFile>(fd);
	if (const std::string problem = file->Check(); !problem.empty()) return refuse(problem);
	return std::unique_ptr<File>(std::move(file));
}

std::string SharedLibrary::FileName(const std::string& name) {
#ifdef __APPLE__
	return "lib" + name + ".dylib";
#else
	return "lib" + name + ".so";
#endif
}

Expected<SharedLibrary> SharedLibrary::Open(const std::string& path) {
	void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
	if (handle != nullptr) return SharedLibrary(handle);
	const char* why = dlerror();
	return Failure{"engine_missing", why == nullptr ? "" : why};
}

void* SharedLibrary::Find(const char* symbol) const { return dlsym(handle_, symbol); }

#ifdef __GLIBC__

namespace {

void (*stderr_capture)(const char* bytes, size_t size) = nullptr;

ssize_t WriteThrough(void*, const char* bytes, size_t size) {
	stderr_capture(bytes, size);
	for (size_t written = 0; written < size;) {
		const ssize_t count = write(STDERR_FILENO, bytes + written, size - written);
		if (count <= 0) break;
		written += static_cast<size_t>(count);
	}
	return static_cast<ssize_t>(size);
}

}  // namespace

void CaptureStderr(void (*on_text)(const char* bytes, size_t size)) {
	stderr_capture = on_text;
	// C code reads the variable `stderr` at every print. Unbuffered, so that each print is one call.
	FILE* capture = fopencookie(nullptr, "w", {nullptr, WriteThrough, nullptr, nullptr});
	if (capture == nullptr) return;
	setvbuf(capture, nullptr, _IONBF, 0);
	stderr = capture;
}

void TrimHeap() { malloc_trim(0); }

#else

void CaptureStderr(void (*)(const char*, size_t)) {}
void TrimHeap() {}

#endif

size_t ReleasePages([[maybe_unused]] char* begin, [[maybe_unused]] char* end) {
#ifdef __linux__
	const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
	const uintptr_t from = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
	const uintptr_t to = reinterpret_cast<uintptr_t>(end) / page * page;
	if (from < to && madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED) == 0) return to - from;
#endif
	return 0;
}

void LowerThreadPriority() {
#ifdef __linux__
	// With a thread id it acts on that thread only. Raising priority again would need a privilege. Each step of nice
	// divides the CPU share by 1.25: four steps leave 0.4 of it.
	constexpr int kNiceIncrement = 4;
	const auto self = static_cast<id_t>(syscall(SYS_gettid));
	setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + kNiceIncrement);
#elif defined(__APPLE__)
	pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#endif
}

void UseHugePages([[maybe_unused]] char* begin, [[maybe_unused]] char* end) {
#ifdef __linux__
	constexpr uintptr_t kLarge = uintptr_t{2} << 20;
	const uintptr_t from = (reinterpret_cast<uintptr_t>(begin) + kLarge - 1) / kLarge * kLarge;
	const uintptr_t to = reinterpret_cast<uintptr_t>(end) / kLarge * kLarge;
	if (from >= to || madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE) != 0) return;
#ifndef MADV_COLLAPSE
	constexpr int MADV_COLLAPSE = 25;  // Linux 6.1
#endif
	// Immediately. Older kernels refuse, and collapse pages in the background.
	madvise(reinterpret_cast<void*>(from), to - from, MADV_COLLAPSE);
#endif
}

bool MayUseTiles() {
#if defined(__linux__) && defined(__x86_64__)
	// Documentation/arch/x86/xstate.rst of the kernel; headers of an old C library have no names for them.
	constexpr int kRequestPermission = 0x1023, kTileData = 18;
	return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
	return false;
#endif
}

std::array<uint64_t, 2> HardwareCapabilities() {
#ifdef __linux__
	return {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
#else
	return {};
#endif
}

}  // namespace earshot
