#include "base/progress.h"

#include <fmt/format.h>

#include <cmath>

namespace graticule {
namespace {

constexpr double kFadeSeconds = 30;

}  // namespace

std::string FormatRate(double rate) {
  if (rate >= 100) return fmt::format("{:.0f}", rate);
  return rate >= 1 ? fmt::format("{:.1f}", rate) : fmt::format("{:.3f}", rate);
}

std::string FormatDuration(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(std::fmax(0, std::fmin(seconds, 1e12))));
  const int64_t days = total / 86400, hours = total / 3600 % 24, minutes = total / 60 % 60;
  if (days > 0) return fmt::format("{}d {:02}:{:02}", days, hours, minutes);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60);
  return fmt::format("{}:{:02}", minutes, total % 60);
}

Progress::Progress(Terminal& terminal, Clock& clock, Options options)
    : terminal_(terminal), clock_(clock), options_(std::move(options)) {
  start_s_ = last_s_ = clock_.MonotonicSeconds();
  shown_s_ = terminal_.interactive() ? start_s_ - options_.redraw_every_s : start_s_;
  done_ = last_done_ = options_.start;
}

Progress::~Progress() { terminal_.Status(""); }

double Progress::rate() const { return faded_s_ > 0 ? faded_units_ / faded_s_ : 0; }

double Progress::eta_s() const {
  if (options_.total <= 0 || rate() <= 0) return -1;
  return static_cast<double>(std::max<int64_t>(0, options_.total - done_)) / rate();
}

void Progress::Update(int64_t done, std::string_view detail) {
  const double now_s = clock_.MonotonicSeconds();
  done_ = done;
  const double passed_s = now_s - last_s_;
  if (passed_s > 0) {
    const double keep = std::exp(-passed_s / kFadeSeconds);
    faded_units_ = faded_units_ * keep + static_cast<double>(done - last_done_);
    faded_s_ = faded_s_ * keep + passed_s;
    last_s_ = now_s;
    last_done_ = done;
  }
  const double every_s = terminal_.interactive() ? options_.redraw_every_s : options_.plain_every_s;
  if (options_.quiet || now_s - shown_s_ < every_s) return;
  shown_s_ = now_s;
  std::string line = fmt::format("{} {}", options_.unit, done);
  if (options_.total > 0) {
    line += fmt::format("/{} {:.0f}%", options_.total,
                        std::floor(100.0 * static_cast<double>(done) / static_cast<double>(options_.total)));
  }
  if (!detail.empty()) line += fmt::format(" | {}", detail);
  if (rate() > 0) line += fmt::format(" | {} {}/s", FormatRate(rate()), options_.unit);
  if (eta_s() >= 0) line += fmt::format(" | ETA {}", FormatDuration(eta_s()));
  if (terminal_.interactive()) {
    terminal_.Status(line);
  } else {
    terminal_.Line(line);
  }
}

void Progress::Finish() {
  terminal_.Status("");
  if (options_.quiet) return;
  const double passed_s = clock_.MonotonicSeconds() - start_s_;
  const auto units = done_ - options_.start;
  std::string line =
      fmt::format("{} {}{} in {}", units, options_.unit, units == 1 ? "" : "s", FormatDuration(passed_s));
  if (passed_s > 0) {
    line += fmt::format(" ({} {}/s)", FormatRate(static_cast<double>(units) / passed_s), options_.unit);
  }
  terminal_.Line(line);
}

}  // namespace graticule
