#include "launch/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
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
  if (!started_) {
    started_ = true;
    start_ = now;
    first_count_ = count;
    first_done_ = done;
  }
  if (now < next_) return;
  next_ = now + (terminal_ ? std::chrono::milliseconds(500) : std::chrono::milliseconds(30'000));
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  const double share = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  std::string text = fmt::format("{}: {} {}", verb_, count, unit_);
  if (elapsed_s > 0) text += fmt::format(", {:.0f}/s", static_cast<double>(count - first_count_) / elapsed_s);
  text += fmt::format(", {:.1f} %", 100 * share);
  constexpr double kEnough_s = 2;  // sooner an estimate is none
  if (done > first_done_ && elapsed_s > kEnough_s)
    text += fmt::format(", {:.0f} s left", elapsed_s * static_cast<double>(total - std::min(done, total)) /
                                               static_cast<double>(done - first_done_));
  fmt::print(stderr, "{}{}{}", terminal_ ? "\r" : "", text, terminal_ ? "\x1b[K" : "\n");
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressLine::Finish() {
  if (terminal_ && drawn_) fmt::print(stderr, "\n");
  drawn_ = false;
}

}  // namespace graticule
