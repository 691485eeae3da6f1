// Rates of a running training: samples per second, share of time spent waiting for data, time left.
//
// Counts steps between two readings; pauses (validation, checkpoints) are taken out. The clock is injected,
// so that tests do not sleep. One thread.
#pragma once

#include <cstdint>
#include <functional>

namespace graticule {

class StepMeter {
 public:
  // now_s: a monotonic clock in seconds.
  StepMeter(int64_t global_batch, std::function<double()> now_s);

  void AddStep(double data_wait_s);
  void Pause();  // until Resume, time does not count
  void Resume();

  struct Reading {
    double samples_s = 0;       // over all ranks
    double data_wait_frac = 0;  // of this rank's time
    double step_s = 0;
  };
  int64_t steps() const { return steps_; }  // since the last Read
  Reading Read();                           // since the last Read, and starts anew
  double eta_s(int64_t steps_left) const;  // from the mean step time of this attempt; 0 before the first step

 private:
  double Elapsed() const;
  const int64_t global_batch_;
  const std::function<double()> now_s_;
  double begin_s_, paused_s_ = 0, pause_begin_s_ = -1, wait_s_ = 0;
  int64_t steps_ = 0;
  double all_s_ = 0;  // of finished readings
  int64_t all_steps_ = 0;
};

}  // namespace graticule
