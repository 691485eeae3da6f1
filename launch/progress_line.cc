#include "launch/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace graticule {

ProgressLine::ProgressLine(std::string verb, std::string unit)
    : verb_(std::move(verb)),
      unit_(std::move(unit)),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      next_(start_ + (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(30'000))) {}

void ProgressLine::Update(int64_t count, uint64_t done, uint64_t total) {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? std::chrono::milliseconds(500) : std::chrono::milliseconds(30'000));
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  const double share = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  std::string text = fmt::format("{}: {} {}, {:.0f}/s, {:.1f} %", verb_, count, unit_,
                                 static_cast<double>(count) / elapsed_s, 100 * share);
  if (share > 0) text += fmt::format(", {:.0f} s left", elapsed_s * (1 - share) / share);
  fmt::print(stderr, "{}{}{}", terminal_ ? "\r" : "", text, terminal_ ? "\x1b[K" : "\n");
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressLine::Finish() {
  if (terminal_ && drawn_) fmt::print(stderr, "\n");
  drawn_ = false;
}

}  // namespace graticule
