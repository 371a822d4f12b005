// Owns a file descriptor of Linux and macOS.
#pragma once

#include <unistd.h>

namespace earshot {

class Descriptor {
public:
	/** Negative: none, as `open` returns when it fails. */
	explicit Descriptor(int fd) : fd_(fd) {}
	Descriptor(const Descriptor&) = delete;
	Descriptor& operator=(const Descriptor&) = delete;
	~Descriptor() {
		if (fd_ >= 0) ::close(fd_);
	}

	int get() const { return fd_; }

private:
	const int fd_;
};

}  // namespace earshot
