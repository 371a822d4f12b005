// Failures as values. Functions that call a library let no exception escape.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>
#include <variant>

namespace earshot {

/** `code` is one of NativeCode in binding.d.ts and has static storage. */
struct Failure {
	const char* code;
	std::string text;
};

template <class T>
class Expected {
public:
	Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
	Expected(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

	explicit operator bool() const { return state_.index() == 0; }
	T& operator*() { return std::get<0>(state_); }
	const T& operator*() const { return std::get<0>(state_); }
	T* operator->() { return &std::get<0>(state_); }
	const T* operator->() const { return &std::get<0>(state_); }
	const Failure& failure() const { return std::get<1>(state_); }

private:
	std::variant<T, Failure> state_;
};

struct Done {};

/** Calls `work`, which calls into a library and returns an Expected. Exceptions become a Failure with `code`, or with
 * `out_of_memory` for std::bad_alloc. */
template <class Work>
auto Guarded(const char* code, const char* library, Work&& work) noexcept -> decltype(work()) {
	try {
		return work();
	} catch (const std::bad_alloc&) {
		return Failure{"out_of_memory", std::string(library) + " ran out of memory"};
	} catch (const std::exception& error) {
		return Failure{code, std::string(library) + ": " + error.what()};
	} catch (...) {
		return Failure{code, std::string(library) + " threw something other than a std::exception"};
	}
}

}  // namespace earshot
