// Text that goes round in circles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace earshot {

/** Whether the last tokens are one cycle over and over, more often than speech repeats. */
bool EndsInLoop(const int32_t* tokens, size_t count);

/** The ranges to remove so that of each loop its first round is left. */
std::vector<std::pair<size_t, size_t>> FindLoops(const std::vector<int32_t>& tokens);

}  // namespace earshot
