#include "geo/variogram/variogram_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "geo/latlon.h"
#include "geo/svg.h"
#include "geo/variogram/variogram_fit.h"

namespace graticule {
namespace {

constexpr double kWidth = 960, kHeight = 580, kLeft = 74, kRight = 132, kTop = 108, kBottom = 62;
constexpr double kPairsHeight = 74;  // of the tallest bar
constexpr double kFarKm = std::numbers::pi * kEvaluationRadiusKm;
constexpr int kCurvePoints = 400;

class Drawing {
 public:
  Drawing(const VariogramCurve& curve, const VariogramPlotText& text)
      : curve_(curve), svg_(kWidth, kHeight, text.title) {
    svg_.Text({kLeft, 34}, text.title, {.size = 18, .colour = ink::kText, .bold = true});
    svg_.Text({kLeft, 56}, text.subtitle, {.size = 13, .colour = ink::kMuted});
    near_km_ = std::clamp(0.7 * curve.bins.front().lag_km, 0.02, 1000.0);
    for (const VariogramBin& b : curve.bins) {
      if (b.pairs >= kFewestPairs) top_ = std::max(top_, b.mean + (std::isnan(b.error) ? 0 : 1.96 * b.error));
    }
    // One wild bin must not flatten the rest.
    top_ = 1.12 * std::max(std::min(top_, 2 * (curve.model.nugget + curve.model.sill)), 1e-9);
    DrawPairs();
    DrawAxes(text.values);
    DrawNames();
    DrawCurve();
    DrawPoints();
  }
  std::string str() const { return svg_.str(); }

 private:
  static constexpr double kFloor = kHeight - kBottom, kEnd = kWidth - kRight;

  double X(double km) const {
    const double share = std::log(km / near_km_) / std::log(kFarKm / near_km_);
    return kLeft + std::clamp(share, 0.0, 1.0) * (kEnd - kLeft);
  }
  double Y(double gamma) const { return kFloor - std::clamp(gamma / top_, 0.0, 1.0) * (kFloor - kTop); }

  void DrawPairs() {
    int64_t most = 1;
    for (const VariogramBin& b : curve_.bins) most = std::max(most, b.pairs);
    for (const VariogramBin& b : curve_.bins) {
      const double height = kPairsHeight * static_cast<double>(b.pairs) / static_cast<double>(most);
      const double left = X(std::max(b.low_km, near_km_)), right = X(b.high_km);
      svg_.Rect(left + 0.5, kFloor - height, std::max(0.5, right - left - 1), height,
                {.fill = "#e9eef3", .stroke = ""});
    }
    svg_.Line({kEnd, kFloor - kPairsHeight}, {kEnd + 5, kFloor - kPairsHeight}, {.stroke = ink::kLine});
    svg_.Text({kEnd + 9, kFloor - kPairsHeight + 4}, ShortNumber(static_cast<double>(most)),
              {.size = 11, .colour = ink::kMuted});
    svg_.Text({kEnd + 9, kFloor - kPairsHeight + 18}, "pairs in a bin", {.size = 11, .colour = ink::kMuted});
  }

  void DrawAxes(const std::string& values) {
    for (const double tick : RoundTicks(0, top_, 7)) {
      svg_.Line({kLeft, Y(tick)}, {kEnd, Y(tick)}, {.stroke = ink::kGrid});
      svg_.Text({kLeft - 9, Y(tick) + 4}, ShortNumber(tick),
                {.size = 11, .anchor = "end", .colour = ink::kMuted});
    }
    for (int power = -2; power <= 4; ++power) {
      for (int digit = 1; digit < 10; ++digit) {
        const double km = digit * std::pow(10, power);
        if (km < near_km_ || km > kFarKm) continue;
        svg_.Line({X(km), kFloor}, {X(km), kFloor + (digit == 1 ? 6 : 3)}, {.stroke = ink::kLine});
        if (digit != 1) continue;
        svg_.Text({X(km), kFloor + 20}, km >= 1e4 ? "10,000" : ShortNumber(km),
                  {.size = 11, .anchor = "middle", .colour = ink::kMuted});
      }
    }
    svg_.Line({kLeft, kFloor}, {kEnd, kFloor}, {.stroke = ink::kLine});
    svg_.Text({(kLeft + kEnd) / 2, kFloor + 44}, "distance, km",
              {.size = 12, .anchor = "middle", .colour = ink::kMuted});
    svg_.Text({kLeft, kTop - 14}, values, {.size = 12, .colour = ink::kText, .bold = true});
  }

  void DrawNames() {
    const VariogramModel& m = curve_.model;
    const std::string colour = LineColour(5);
    const SvgStyle dashed{.stroke = colour, .stroke_width = 1, .dash = "5 4"};
    const double sill = m.nugget + m.sill;
    // Close names move apart.
    double nugget_y = Y(m.nugget), sill_y = Y(sill);
    if (nugget_y - sill_y < 30) nugget_y = sill_y + 30;
    for (const auto& [name, value, at] :
         {std::tuple{"sill", sill, sill_y}, std::tuple{"nugget", m.nugget, nugget_y}}) {
      svg_.Line({kLeft, Y(value)}, {kEnd, Y(value)}, dashed);
      svg_.Text({kEnd + 9, at + 1}, name, {.size = 12, .colour = colour, .bold = true});
      svg_.Text({kEnd + 9, at + 15}, fmt::format("{:.4f}", value), {.size = 12, .colour = colour});
    }
    if (curve_.rho_km >= kFarKm) return;
    if (const auto found = curve_.intervals.find("rho"); found != curve_.intervals.end()) {
      const double left = X(found->second.low), right = X(found->second.high);
      svg_.Rect(left, kTop, right - left, kFloor - kTop, {.fill = colour, .opacity = 0.09});
    }
    const double x = X(curve_.rho_km);
    svg_.Line({x, kTop}, {x, kFloor}, dashed);
    const bool late = x > 0.75 * kEnd;
    svg_.Text({x + (late ? -7 : 7), kTop + 12}, fmt::format("range {} km", Distance(curve_.rho_km)),
              {.size = 12, .anchor = late ? "end" : "start", .colour = colour, .bold = true});
  }

  static std::string Distance(double km) {
    return km < 100 ? ShortNumber(km) : WithThousands(std::llround(km));
  }

  void DrawCurve() {
    std::vector<SvgPoint> line;
    for (int k = 0; k <= kCurvePoints; ++k) {
      const double km = near_km_ * std::pow(kFarKm / near_km_, static_cast<double>(k) / kCurvePoints);
      line.push_back({X(km), Y(curve_.model.Gamma(km))});
    }
    svg_.Polyline(line, {.stroke = LineColour(1), .stroke_width = 2.2});
  }

  void DrawPoints() {
    const std::string colour = LineColour(0);
    for (const VariogramBin& b : curve_.bins) {
      const double x = X(b.lag_km);
      if (!std::isnan(b.error)) {
        svg_.Line({x, Y(b.mean - 1.96 * b.error)}, {x, Y(b.mean + 1.96 * b.error)},
                  {.stroke = colour, .stroke_width = 1.2, .opacity = 0.7});
      }
      const std::string tip = fmt::format("{} to {} km: {:.4f}, {} pairs", ShortNumber(b.low_km),
                                          ShortNumber(b.high_km), b.mean, WithThousands(b.pairs));
      const bool fitted = b.pairs >= kFewestPairs;
      svg_.Circle({x, Y(b.mean)}, curve_.bins.size() > 200 ? 1.2 : 3,
                  {.fill = fitted ? colour : ink::kPaper, .stroke = fitted ? ink::kPaper : colour}, tip);
    }
  }

  const VariogramCurve& curve_;
  SvgDocument svg_;
  double near_km_ = 0, top_ = 0;
};

}  // namespace

std::string VariogramSvg(const VariogramCurve& curve, const VariogramPlotText& text) {
  GRATICULE_CHECK(!curve.bins.empty());
  return Drawing(curve, text).str();
}

}  // namespace graticule
