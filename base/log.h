// Messages for people and machines, on standard error.
//
// Text:  "12:00:07 warn  [3] shard 12 is read again"      ([rank] only where there are several)
// JSON:  {"time_utc": ..., "level": "warn", "rank": 3, "message": ..., further fields}
// Rank 0 says everything from `level` on, other ranks warnings and errors only. Quiet says errors only.
// Colours only on a terminal and never with NO_COLOR. Thread-safe; SetLogOptions is for start-up, before
// threads exist.
//
//   LogInfo("read {} shards", n);
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json_row.h"
#include "base/terminal.h"

namespace graticule {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  bool json = false;
  bool quiet = false;
  bool colour = true;  // where the terminal and NO_COLOR allow it
  int rank = 0;
  int world_size = 1;
};

class Logger {
 public:
  Logger(Terminal& terminal, Clock& clock, LogOptions options);
  bool Says(LogLevel level) const;
  void Write(LogLevel level, std::string_view message, const JsonRow& fields = {});
  const LogOptions& options() const { return options_; }

 private:
  Terminal* terminal_;
  Clock* clock_;
  LogOptions options_;
  bool colour_;
};

// The logger of the process.
Logger& Log();
void SetLogOptions(const LogOptions& options);

template <typename... Args>
void LogAt(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (Log().Says(level)) Log().Write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarn(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kWarn, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace graticule
