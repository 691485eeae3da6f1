#include "trainer/run/step_meter.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(StepMeter, CountsSamplesWaitAndTimeLeft) {
  double now = 100;
  StepMeter meter(32, [&] { return now; });
  for (int i = 0; i < 4; ++i) {
    now += 0.5;
    meter.AddStep(0.1);
  }
  EXPECT_NEAR(meter.eta_s(10), 5.0, 1e-9);
  const auto r = meter.Read();
  EXPECT_NEAR(r.samples_s, 4 * 32 / 2.0, 1e-9);
  EXPECT_NEAR(r.data_wait_frac, 0.2, 1e-9);
  EXPECT_NEAR(r.step_s, 0.5, 1e-9);
  EXPECT_EQ(meter.Read().samples_s, 0);  // nothing since
}

TEST(StepMeter, LeavesPausesOut) {
  double now = 0;
  StepMeter meter(10, [&] { return now; });
  now += 1;
  meter.AddStep(0);
  meter.Pause();
  now += 50;
  EXPECT_NEAR(meter.eta_s(1), 1.0, 1e-9);
  meter.Resume();
  now += 1;
  meter.AddStep(0);
  EXPECT_NEAR(meter.Read().samples_s, 10, 1e-9);
}

}  // namespace
}  // namespace graticule
