// SharedFile on Linux and macOS.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/descriptor.h"
#include "platform/platform.h"

namespace earshot {

namespace {

constexpr size_t kAlignment = 64;

size_t Aligned(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

class Mapping final : public SharedFile {
public:
	Mapping(char* memory, size_t size, const std::vector<Part>& parts) : memory_(memory), size_(size) {
		for (const Part& part : parts) {
			parts_.push_back(memory);
			memory += Aligned(part.size);
		}
	}
	Mapping(const Mapping&) = delete;
	Mapping& operator=(const Mapping&) = delete;
	~Mapping() override { ::munmap(memory_, size_); }

	bool Equals(const std::vector<Part>& parts) const {
		for (size_t i = 0; i < parts.size(); i++) {
			if (std::memcmp(parts_[i], parts[i].data, parts[i].size) != 0) return false;
		}
		return true;
	}

private:
	char* const memory_;
	const size_t size_;
};

/** Null unless the file has these contents and no other user can change them. */
std::unique_ptr<SharedFile> MapEqual(const std::string& path, const std::vector<SharedFile::Part>& parts, size_t size) {
	const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
	struct stat stat {};
	if (file.get() < 0 || ::fstat(file.get(), &stat) != 0) return nullptr;
	const bool is_own = S_ISREG(stat.st_mode) && stat.st_uid == ::geteuid() && (stat.st_mode & (S_IWGRP | S_IWOTH)) == 0;
	if (!is_own || static_cast<size_t>(stat.st_size) != size) return nullptr;
	void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
	if (memory == MAP_FAILED) return nullptr;
	auto mapping = std::make_unique<Mapping>(static_cast<char*>(memory), size, parts);
	return mapping->Equals(parts) ? std::move(mapping) : nullptr;
}

bool WriteAll(int fd, const char* data, size_t size) {
	while (size > 0) {
		const ssize_t written = ::write(fd, data, size);
		if (written < 0 && errno == EINTR) continue;
		if (written <= 0) return false;
		data += written;
		size -= static_cast<size_t>(written);
	}
	return true;
}

bool WriteParts(int fd, const std::vector<SharedFile::Part>& parts) {
	constexpr char kZeros[kAlignment] = {};
	for (const auto& [data, size] : parts) {
		if (!WriteAll(fd, data, size) || !WriteAll(fd, kZeros, Aligned(size) - size)) return false;
	}
	return true;
}

}  // namespace

Expected<std::unique_ptr<SharedFile>> SharedFile::Map(
	const std::string& path, const std::vector<Part>& parts, const char* code) {
	size_t size = 0;
	for (const Part& part : parts) size += Aligned(part.size);
	if (auto mapped = MapEqual(path, parts, size)) return mapped;

	std::string draft = path + ".XXXXXX";
	const Descriptor file(::mkstemp(draft.data()));
	const auto refuse = [&](int error) {
		const Failure failure{code, "cannot write " + path + ": " + std::strerror(error)};
		if (file.get() >= 0) ::unlink(draft.c_str());
		return failure;
	};
	if (file.get() < 0) return refuse(errno);
	if (::fcntl(file.get(), F_SETFD, FD_CLOEXEC) != 0 || !WriteParts(file.get(), parts)) return refuse(errno);
	// The first process to link its file keeps it: others that were writing too map that one.
	if (::link(draft.c_str(), path.c_str()) != 0) {
		if (auto mapped = MapEqual(path, parts, size)) {
			::unlink(draft.c_str());
			return mapped;
		}
		if (::rename(draft.c_str(), path.c_str()) != 0) return refuse(errno);
	} else {
		::unlink(draft.c_str());
	}
	if (auto mapped = MapEqual(path, parts, size)) return mapped;
	return Failure{code, "cannot map " + path + ": it has changed, or its file system does not keep owner and permissions"};
}

}  // namespace earshot
