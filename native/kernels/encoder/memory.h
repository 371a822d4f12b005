// Memory of the encoder's passes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/integers.h"
#include "kernels/int_matrix.h"

namespace earshot::encoder {

/** Bump allocator over an arena, aligned to cache lines. Without memory it only counts the lines needed. */
class Allocator {
public:
	explicit Allocator(Line* memory = nullptr) : memory_(memory) {}

	template <class T>
	T* Take(size_t count) {
		const size_t at = lines_;
		lines_ += (count * sizeof(T) + sizeof(Line) - 1) / sizeof(Line);
		return memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + at);
	}
	size_t lines() const { return lines_; }

private:
	Line* memory_;
	size_t lines_ = 0;
};

/** Storage for rounded rows. */
struct RowStore {
	uint8_t* numbers = nullptr;
	float* scales = nullptr;
	size_t bytes = 0, blocks = 0;

	RowStore() = default;
	/** `between`: bytes between rows. */
	RowStore(Allocator& memory, Integers integers, const Blocks& cut, size_t rows, size_t between = sizeof(Line))
		: numbers(memory.Take<uint8_t>(rows * (RowBytes(integers, cut) + between))),
		  scales(memory.Take<float>(rows * cut.count)), bytes(RowBytes(integers, cut) + between), blocks(cut.count) {}

	uint8_t* NumbersOf(size_t row) const { return numbers + row * bytes; }
	float* ScalesOf(size_t row) const { return scales + row * blocks; }
	/** Every `step`-th row from `first` on. */
	IntRows From(size_t first, size_t step = 1) const {
		return {NumbersOf(first), step * bytes, ScalesOf(first), step * blocks};
	}
};

/** Pool of arenas, one for each running pass. Any thread. */
class Arenas {
public:
	using Arena = std::vector<Line>;

	/** Borrows an arena. */
	class Loan {
	public:
		explicit Loan(Arenas& arenas) : arenas_(arenas) {
			const std::lock_guard lock(arenas_.mutex_);
			if (arenas_.free_.empty()) {
				arena_ = std::make_unique<Arena>();
			} else {
				arena_ = std::move(arenas_.free_.back());
				arenas_.free_.pop_back();
			}
		}
		~Loan() {
			const std::lock_guard lock(arenas_.mutex_);
			arenas_.free_.push_back(std::move(arena_));
		}
		Loan(const Loan&) = delete;
		Loan& operator=(const Loan&) = delete;
		Arena* operator->() const { return arena_.get(); }

	private:
		Arenas& arenas_;
		std::unique_ptr<Arena> arena_;
	};

private:
	std::mutex mutex_;
	std::vector<std::unique_ptr<Arena>> free_;  // guarded by mutex_
};

}  // namespace earshot::encoder
