// Log lines of the engines.
#pragma once

#include <string>

namespace earshot {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/** Passes the line to all sinks set by JavaScript. Never blocks. Any thread. */
void Log(LogLevel level, std::string line);

}  // namespace earshot
