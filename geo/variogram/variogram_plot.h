// A semivariogram as SVG: the points with their 95 % error bars over a logarithmic axis of distance, the
// fitted curve, nugget, sill and range by name, and the number of pairs of each bin as a pale histogram.
// Pure; cannot fail for a curve with bins.
#pragma once

#include <string>

#include "geo/variogram/variogram_curve.h"

namespace graticule {

struct VariogramPlotText {
  std::string title, subtitle;
  std::string values;  // what the vertical axis is: "half squared difference"
};

std::string VariogramSvg(const VariogramCurve& curve, const VariogramPlotText& text);

}  // namespace graticule
