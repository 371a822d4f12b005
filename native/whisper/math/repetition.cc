#include "whisper/math/repetition.h"

#include <algorithm>

namespace earshot {

namespace {

constexpr size_t kMaxCycle = 64;
/** Minimum length of a loop: repetitions in speech are shorter. */
constexpr size_t kLoopTokens = 20;
constexpr size_t kLoopRounds = 4;

size_t MinRun(size_t cycle) { return std::max(kLoopTokens, kLoopRounds * cycle); }

}  // namespace

bool EndsInLoop(const int32_t* tokens, size_t count) {
	for (size_t cycle = 1; cycle <= kMaxCycle && MinRun(cycle) + cycle <= count; cycle++) {
		size_t run = 0;
		while (run < MinRun(cycle) && tokens[count - 1 - run] == tokens[count - 1 - run - cycle]) run++;
		if (run == MinRun(cycle)) return true;
	}
	return false;
}

std::vector<std::pair<size_t, size_t>> FindLoops(const std::vector<int32_t>& tokens) {
	std::vector<std::pair<size_t, size_t>> loops;
	for (size_t at = 0; at < tokens.size();) {
		size_t end = at;
		for (size_t cycle = 1; cycle <= kMaxCycle && end == at; cycle++) {
			size_t run = 0;
			while (at + cycle + run < tokens.size() && tokens[at + run] == tokens[at + cycle + run]) run++;
			if (run < MinRun(cycle)) continue;
			loops.emplace_back(at + cycle, at + cycle + run);
			end = at + cycle + run;
		}
		at = end == at ? at + 1 : end;
	}
	return loops;
}

}  // namespace earshot
