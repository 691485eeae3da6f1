#include "base/log.h"

#include <fmt/ranges.h>

#include <cstdlib>

namespace graticule {
namespace {

struct LevelText {
  std::string_view name, colour;
};
constexpr LevelText kLevels[] = {
    {"debug", "\x1b[2m"}, {"info", ""}, {"warn", "\x1b[33m"}, {"error", "\x1b[31m"}};

std::string Show(const JsonScalar& value) {
  return std::visit([](const auto& v) { return fmt::format("{}", v); }, value);
}

Logger& Process() {
  static Logger logger(StderrTerminal(), SystemClock(), {});
  return logger;
}

}  // namespace

Logger::Logger(Terminal& terminal, Clock& clock, LogOptions options)
    : terminal_(&terminal), clock_(&clock), options_(options) {
  const char* no_color = std::getenv("NO_COLOR");
  colour_ = options_.colour && terminal_->interactive() && (no_color == nullptr || *no_color == 0);
}

bool Logger::Says(LogLevel level) const {
  if (options_.quiet) return level == LogLevel::kError;
  if (options_.rank != 0 && level < LogLevel::kWarn) return false;
  return level >= options_.level;
}

void Logger::Write(LogLevel level, std::string_view message, const JsonRow& fields) {
  if (!Says(level)) return;
  const LevelText& text = kLevels[static_cast<int>(level)];
  const std::string utc = FormatUtc(clock_->UnixSeconds());
  if (options_.json) {
    JsonRow row = {{"time_utc", utc},
                   {"level", std::string(text.name)},
                   {"rank", int64_t{options_.rank}},
                   {"message", std::string(message)}};
    row.insert(row.end(), fields.begin(), fields.end());
    terminal_->Line(ToJson(row));
    return;
  }
  std::string line = fmt::format("{} {:<5} ", utc.substr(11, 8), text.name);
  if (options_.world_size > 1) line += fmt::format("[{}] ", options_.rank);
  line += message;
  for (const auto& [key, value] : fields) line += fmt::format("  {}={}", key, Show(value));
  if (colour_ && !text.colour.empty()) line = fmt::format("{}{}\x1b[0m", text.colour, line);
  terminal_->Line(line);
}

Logger& Log() { return Process(); }

void SetLogOptions(const LogOptions& options) {
  Process() = Logger(StderrTerminal(), SystemClock(), options);
}

}  // namespace graticule
