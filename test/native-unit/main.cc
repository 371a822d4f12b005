// Unit tests of native/ below the bindings: earshot-tests FIXTURES [PART OF A SENTENCE]
#include <cstdio>
#include <string_view>

#include "check.h"
#include "core/log.h"
#include "ggml/fake_ggml.h"

namespace earshot {

/** The addon has its own definition. */
void Log(LogLevel level, std::string line) {
	if (level == LogLevel::kError) std::fprintf(stderr, "%s\n", line.c_str());
}

namespace tests {

namespace {
int failures = 0;
}

std::vector<Test>& AllTests() {
	static std::vector<Test> tests;
	return tests;
}

std::string& Fixtures() {
	static std::string folder;
	return folder;
}

void Expect(bool holds, const char* file, int line, const std::string& what) {
	if (holds) return;
	failures++;
	std::printf("  %s:%d: expected %s\n", file, line, what.c_str());
}

}  // namespace tests
}  // namespace earshot

int main(int count, char** arguments) {
	using namespace earshot::tests;
	if (count < 2) {
		std::fprintf(stderr, "usage: earshot-tests FOLDER-OF-FIXTURES [PART-OF-A-SENTENCE]\n");
		return 2;
	}
	Fixtures() = std::string(arguments[1]) + "/";
	// Before any use of ggml, which enumerates devices once.
	AddForeignBuffers();
	AddFakeGpu();
	for (const Test& test : AllTests()) {
		if (count > 2 && std::string_view(test.sentence).find(arguments[2]) == std::string_view::npos) continue;
		std::printf("%s\n", test.sentence);
		std::fflush(stdout);
		test.run();
	}
	if (failures > 0) std::printf("%d expectations failed\n", failures);
	return failures == 0 ? 0 : 1;
}
