// Time as a dependency, so that tests of rates, heartbeats and time-outs never sleep.
//
// Monotonic time drives intervals; wall time is only written down (a clock step must change no behaviour).
// SystemClock is thread-safe; FakeClock is not.
#pragma once

#include <string>

namespace graticule {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual double MonotonicSeconds() const = 0;  // from an arbitrary start
  virtual double UnixSeconds() const = 0;
};

Clock& SystemClock();

// Stands still until told otherwise.
class FakeClock : public Clock {
 public:
  double MonotonicSeconds() const override { return monotonic_s; }
  double UnixSeconds() const override { return unix_s; }
  void Advance(double seconds) {
    monotonic_s += seconds;
    unix_s += seconds;
  }
  double monotonic_s = 1000;
  double unix_s = 1'700'000'000;
};

// "2026-02-03T04:05:06Z", independent of TZ and locale.
std::string FormatUtc(double unix_s);

}  // namespace graticule
