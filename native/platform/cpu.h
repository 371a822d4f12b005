// What the processor can do, asked of it and not of the system's files.
#pragma once

#include <string>
#include <vector>

namespace earshot {

/**
 * The instruction sets that processor and operating system both support, as Linux calls them in /proc/cpuinfo, of
 * those that prebuilt binaries differ by. None where nothing tells (Apple's processors).
 */
std::vector<std::string> ProcessorFlags();

}  // namespace earshot
