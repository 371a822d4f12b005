// The bytes of a recording.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "audio/decoder.h"
#include "core/failure.h"
#include "platform/platform.h"

namespace earshot::audio {

inline Failure Unsupported(std::string text) { return {"audio_unsupported", std::move(text)}; }

/** Reads bytes from memory or from a regular file, by position. */
class Reader {
public:
	static Expected<std::unique_ptr<Reader>> Open(const AudioSource& source) {
		auto reader = std::make_unique<Reader>();
		if (source.path.empty()) {
			reader->bytes_ = source.bytes;
			reader->size_ = static_cast<int64_t>(source.size);
			return reader;
		}
		if (source.path.find('\0') != std::string::npos) return Unsupported("the file's path contains a NUL");
		auto opened = File::Open(source.path, "audio_unsupported");
		if (!opened) return opened.failure();
		reader->file_ = std::move(*opened);
		reader->size_ = reader->file_->size();
		return reader;
	}

	int64_t size() const { return size_; }

	/** Returns the bytes read at `position`; 0 at the end, negative on a disk error. */
	int64_t Read(int64_t position, uint8_t* into, int64_t count) const {
		count = std::min(count, size_ - position);
		if (count <= 0) return 0;
		if (file_) return file_->Read(position, into, count);
		std::memcpy(into, bytes_ + position, static_cast<size_t>(count));
		return count;
	}

private:
	const uint8_t* bytes_ = nullptr;
	std::unique_ptr<File> file_;
	int64_t size_ = 0;
};

}  // namespace earshot::audio
