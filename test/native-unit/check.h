// A test is a sentence and a function; main.cc runs them all.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace earshot::tests {

struct Test {
	const char* sentence;
	void (*run)();
};

std::vector<Test>& AllTests();

/** Folder of the generated fixtures, with a trailing slash. */
std::string& Fixtures();

/** Records a failure of the running test, and continues. */
void Expect(bool holds, const char* file, int line, const std::string& what);

struct Registration {
	Registration(const char* sentence, void (*run)()) { AllTests().push_back({sentence, run}); }
};

/** In [-1, 1], the same on every run. */
class Noise {
public:
	explicit Noise(uint32_t seed) : state_(seed) {}
	float operator()() {
		state_ = state_ * 1664525U + 1013904223U;
		return static_cast<float>(state_) / 2147483648.0F - 1;
	}
	std::vector<float> Some(size_t count, float scale = 1) {
		std::vector<float> numbers(count);
		for (float& number : numbers) number = scale * (*this)();
		return numbers;
	}

private:
	uint32_t state_;
};

}  // namespace earshot::tests

#define EARSHOT_JOIN2(a, b) a##b
#define EARSHOT_JOIN(a, b) EARSHOT_JOIN2(a, b)
#define TEST(sentence)                                                                                             \
	static void EARSHOT_JOIN(Test, __LINE__)();                                                                \
	static const earshot::tests::Registration EARSHOT_JOIN(registration, __LINE__)(                            \
		sentence, EARSHOT_JOIN(Test, __LINE__));                                                           \
	static void EARSHOT_JOIN(Test, __LINE__)()
#define EXPECT(holds) earshot::tests::Expect((holds), __FILE__, __LINE__, #holds)
#define EXPECT_THAT(holds, what) earshot::tests::Expect((holds), __FILE__, __LINE__, (what))
