#include "trainer/run/step_meter.h"

#include <algorithm>

namespace graticule {

StepMeter::StepMeter(int64_t global_batch, std::function<double()> now_s)
    : global_batch_(global_batch), now_s_(std::move(now_s)), begin_s_(now_s_()) {}

void StepMeter::AddStep(double data_wait_s) {
  ++steps_;
  wait_s_ += data_wait_s;
}

void StepMeter::Pause() {
  if (pause_begin_s_ < 0) pause_begin_s_ = now_s_();
}

void StepMeter::Resume() {
  if (pause_begin_s_ < 0) return;
  paused_s_ += now_s_() - pause_begin_s_;
  pause_begin_s_ = -1;
}

double StepMeter::Elapsed() const {
  const double pausing = pause_begin_s_ < 0 ? 0 : now_s_() - pause_begin_s_;
  return std::max(0.0, now_s_() - begin_s_ - paused_s_ - pausing);
}

StepMeter::Reading StepMeter::Read() {
  const double elapsed = Elapsed();
  Reading reading;
  if (steps_ > 0 && elapsed > 0) {
    reading.samples_s = static_cast<double>(steps_ * global_batch_) / elapsed;
    reading.data_wait_frac = std::min(1.0, wait_s_ / elapsed);
    reading.step_s = elapsed / static_cast<double>(steps_);
  }
  all_s_ += elapsed;
  all_steps_ += steps_;
  begin_s_ = now_s_();
  paused_s_ = wait_s_ = 0;
  if (pause_begin_s_ >= 0) pause_begin_s_ = begin_s_;
  steps_ = 0;
  return reading;
}

double StepMeter::eta_s(int64_t steps_left) const {
  const auto steps = static_cast<double>(all_steps_ + steps_);
  return steps > 0 ? (all_s_ + Elapsed()) / steps * static_cast<double>(steps_left) : 0;
}

}  // namespace graticule
