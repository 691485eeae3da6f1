// Progress of a long piece of work: one status line on a terminal, a plain line every 30 s elsewhere.
//
//   "step 120/1000 12% | loss 3.21 | 3.4 step/s | ETA 4:19"
//
// The rate is smoothed over the last half minute or so, the time left follows from it. Time comes from the
// clock given, so that tests do not sleep. One thread; the terminal may be shared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/terminal.h"

namespace graticule {

class Progress {
 public:
  struct Options {
    std::string unit = "step";
    int64_t total = 0;          // 0: unknown, then neither share nor ETA
    int64_t start = 0;          // where a resumed run begins; does not count for the rate
    double plain_every_s = 30;  // without a terminal
    double redraw_every_s = 0.2;
    bool quiet = false;
  };
  Progress(Terminal& terminal, Clock& clock, Options options);
  ~Progress();  // removes the status line

  // done: units done in all. detail: what else to show, "loss 3.21 | data wait 2 %".
  void Update(int64_t done, std::string_view detail = "");
  // A last plain line with the mean rate, e.g. "1000 step in 4:54 (3.4 step/s)".
  void Finish();

  double rate() const;   // units per second; 0 until two updates lie apart
  double eta_s() const;  // negative where unknown

 private:
  Terminal& terminal_;
  Clock& clock_;
  Options options_;
  double start_s_, last_s_, shown_s_;
  int64_t done_, last_done_;
  // Sums of units and seconds that fade with the same time constant: their quotient is the smoothed rate.
  double faded_units_ = 0, faded_s_ = 0;
};

// "4:19", "1:02:03", "3d 04:05".
std::string FormatDuration(double seconds);
// A rate in about three digits: "337", "5.3", "0.025".
std::string FormatRate(double rate);

}  // namespace graticule
