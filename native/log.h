// The engines' log lines, on their way to the sinks that JavaScript has set. Any thread.
#pragma once

#include <string>

namespace earshot {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/** Hands a line to every sink, or drops it when there is none. Never blocks on JavaScript. Any thread. */
void Log(LogLevel level, std::string line);

}  // namespace earshot
