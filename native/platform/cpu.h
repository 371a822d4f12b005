// Instruction sets of the processor, read from the processor and not from system files.
#pragma once

#include <string>
#include <vector>

namespace earshot {

/**
 * Of the instruction sets by which prebuilt binaries differ, those that both processor and operating system support, by
 * their names in Linux's /proc/cpuinfo. Empty if they cannot be detected (Apple's processors).
 */
std::vector<std::string> ProcessorFlags();

}  // namespace earshot
