// Sequential reader of a model file, for our checks and for the loaders of whisper.cpp and parakeet.cpp, which cannot open
// all paths on Windows themselves.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/failure.h"
#include "platform/platform.h"

namespace earshot {

/** One thread at a time. */
class ModelFile {
public:
	/** Fails with `model_load_failed` if it cannot be read. */
	static Expected<ModelFile> Open(const std::string& path) {
		auto file = File::Open(path, "model_load_failed");
		if (!file) return file.failure();
		return ModelFile(std::move(*file));
	}

	/** Returns the bytes read: fewer than `count` only at the end or on a disk error. */
	size_t Read(void* into, size_t count) {
		auto* bytes = static_cast<uint8_t*>(into);
		size_t read = 0;
		while (read < count) {
			const bool within = position_ >= start_ && position_ < start_ + static_cast<int64_t>(filled_);
			if (!within && count - read >= kBuffer) {
				const int64_t got = file_->Read(position_, bytes + read, static_cast<int64_t>(count - read));
				if (got <= 0) break;
				read += static_cast<size_t>(got);
				position_ += got;
				continue;
			}
			if (!within && !Fill()) break;
			const auto from = static_cast<size_t>(position_ - start_);
			const size_t taken = std::min(count - read, filled_ - from);
			std::memcpy(bytes + read, buffer_.data() + from, taken);
			read += taken;
			position_ += static_cast<int64_t>(taken);
		}
		ended_ = read < count;
		return read;
	}

	void Skip(int64_t count) { position_ += count; }
	/** Remaining bytes; negative if too many were skipped. */
	int64_t left() const { return file_->size() - position_; }
	/** Whether the last read returned fewer bytes than requested. */
	bool ended() const { return ended_; }

	/** `Loader`: whisper_model_loader or parakeet_model_loader, which have the same fields. */
	template <class Loader>
	Loader For() {
		Loader loader{};
		loader.context = this;
		loader.read = [](void* context, void* into, size_t count) {
			return static_cast<ModelFile*>(context)->Read(into, count);
		};
		loader.eof = [](void* context) { return static_cast<ModelFile*>(context)->ended(); };
		loader.close = [](void*) {};
		return loader;
	}

private:
	/** Most reads are a few bytes. */
	static constexpr size_t kBuffer = 16 << 10;

	explicit ModelFile(std::unique_ptr<File> file) : file_(std::move(file)), buffer_(kBuffer) {}

	bool Fill() {
		const int64_t got = file_->Read(position_, buffer_.data(), kBuffer);
		start_ = position_;
		filled_ = static_cast<size_t>(std::max<int64_t>(0, got));
		return got > 0;
	}

	std::unique_ptr<File> file_;
	std::vector<uint8_t> buffer_;
	/** Offset of the buffer in the file. */
	int64_t start_ = 0;
	size_t filled_ = 0;
	int64_t position_ = 0;
	bool ended_ = false;
};

}  // namespace earshot
