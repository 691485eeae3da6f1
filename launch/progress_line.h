// Progress of a verb on stderr: on a terminal one line that is redrawn twice a second, elsewhere a plain line
// every 30 s. Shows the count, its rate and the time left, both from what was done since the first Update:
// what a stopped run had done, and what goes before (reading tables), count for nothing. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace graticule {

class ProgressLine {
 public:
  ProgressLine(std::string verb, std::string unit);
  // done and total measure the work (bytes, files); count is what is shown.
  void Update(int64_t count, uint64_t done, uint64_t total);
  void Finish();  // ends the line

 private:
  using Clock = std::chrono::steady_clock;
  std::string verb_, unit_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_, next_;
  bool started_ = false;
  int64_t first_count_ = 0;
  uint64_t first_done_ = 0;
};

}  // namespace graticule
