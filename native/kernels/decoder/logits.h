// Sums and choices over the logits of one position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace earshot {

/** The greatest number; -infinity of none. NaN is ignored. */
float Greatest(const float* numbers, size_t count);

/** The sum of e^(number - greatest). `greatest` is finite and not exceeded. */
double SumOfExponentials(const float* numbers, size_t count, float greatest);

struct Ranked {
	uint32_t at;
	float number;
};

/** The `most` greatest numbers above -infinity in descending order; of equal ones the first come first. */
std::vector<Ranked> GreatestOf(const float* numbers, size_t count, size_t most);

}  // namespace earshot
