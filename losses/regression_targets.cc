#include "losses/regression_targets.h"

#include <cmath>
#include <limits>

#include "base/error.h"

namespace graticule {
namespace {

enum : size_t { kElevation, kPopulation, kTemperature };  // the columns with a rule of their own

}  // namespace

double RegressionTargets::OffsetOf(size_t column) const {
  return column == kElevation ? elevation_offset_m : 1.0;
}

double RegressionTargets::Transform(size_t column, double raw) const {
  if (column == kTemperature) return raw;
  const double shifted = raw + OffsetOf(column);
  return shifted > 0 ? std::log(shifted) : std::numeric_limits<double>::quiet_NaN();
}

double RegressionTargets::Forward(size_t column, double raw) const {
  return (Transform(column, raw) - mean[column]) / deviation[column];
}

double RegressionTargets::Inverse(size_t column, double standardised) const {
  const double transformed = standardised * deviation[column] + mean[column];
  return column == kTemperature ? transformed : std::exp(transformed) - OffsetOf(column);
}

void RegressionTargets::Forward(std::span<const float> raw_N6, float* targets_N6) const {
  GRATICULE_CHECK(raw_N6.size() % kRegressionColumns == 0);
  for (size_t i = 0; i < raw_N6.size(); ++i)
    targets_N6[i] = static_cast<float>(Forward(i % kRegressionColumns, raw_N6[i]));
}

RegressionTargets RegressionTargets::Fit(std::span<const float> raw_N6, double elevation_offset_m) {
  GRATICULE_CHECK(raw_N6.size() % kRegressionColumns == 0);
  RegressionTargets fitted;
  fitted.elevation_offset_m = elevation_offset_m;
  for (size_t column = 0; column < kRegressionColumns; ++column) {
    // Welford: one pass, stable for millions of rows.
    double count = 0, mean = 0, squares = 0;
    for (size_t i = column; i < raw_N6.size(); i += kRegressionColumns) {
      const double v = fitted.Transform(column, raw_N6[i]);
      if (!std::isfinite(v)) continue;
      count += 1;
      const double before = v - mean;
      mean += before / count;
      squares += before * (v - mean);
    }
    fitted.mean[column] = mean;
    fitted.deviation[column] = count > 0 && squares > 0 ? std::sqrt(squares / count) : 1.0;
  }
  return fitted;
}

}  // namespace graticule
