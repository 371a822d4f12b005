// Log lines, from any thread to JavaScript.
#pragma once

#include <string>

namespace earshot {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/** Hands an engine's line to every sink that JavaScript has set, or drops it. Never waits. Any thread. */
void Log(LogLevel level, std::string line);

}  // namespace earshot
