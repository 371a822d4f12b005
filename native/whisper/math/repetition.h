// Detection of repetition loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace earshot {

/** Whether the text ends in a cycle of tokens that repeats more often than in speech. */
bool EndsInLoop(const int32_t* tokens, size_t count);

/** Ranges [from, to) to remove so that only the first round of each loop is left. */
std::vector<std::pair<size_t, size_t>> FindLoops(const std::vector<int32_t>& tokens);

}  // namespace earshot
