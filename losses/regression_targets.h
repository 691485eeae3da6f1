// From physical units to what the regression head predicts, and back. Torch-free.
//
// Columns, in the order of Batch::aux_B6: elevation (m), population (persons/km2), mean temperature (C),
// temperature range (C), mean precipitation (mm/month), precipitation range (mm/month). All but the mean
// temperature go through ln(v + offset); then each is standardised with the training split's mean and
// deviation. A value whose logarithm does not exist (v <= -offset) is masked like a missing one: NaN.
// Immutable once fitted. Source: PIGEON (arXiv 2307.05845) section 3.4; offsets from its published
// configuration.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace graticule {

inline constexpr size_t kRegressionColumns = 6;

struct RegressionTargets {
  std::array<double, kRegressionColumns> mean{};                       // of the transformed training values
  std::array<double, kRegressionColumns> deviation{1, 1, 1, 1, 1, 1};  // > 0
  double elevation_offset_m = 416;

  // Statistics over the training split, row-major [N, 6], NaN left out. A column without spread gets
  // deviation 1.
  static RegressionTargets Fit(std::span<const float> raw_N6, double elevation_offset_m);

  double Forward(size_t column, double raw) const;  // NaN where it has no value
  double Inverse(size_t column, double standardised) const;
  void Forward(std::span<const float> raw_N6, float* targets_N6) const;

 private:
  double Transform(size_t column, double raw) const;
  double OffsetOf(size_t column) const;
};

}  // namespace graticule
