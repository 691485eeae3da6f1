#include "trainer/eval/loss_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/fs.h"
#include "geo/svg.h"

namespace graticule {
namespace {

using Series = std::map<int64_t, double>;

constexpr double kWidth = 960, kLeft = 72, kRight = 168, kTop = 98, kBottom = 46, kGap = 38;
constexpr size_t kPointsPerLine = 600;

struct Panel {
  std::string label;
  double height;
  bool smooth;
  std::vector<std::pair<std::string, const Series*>> lines;
};

void AddNumber(TrainingCurve& curve, const std::string& name, int64_t step, const nlohmann::json& value) {
  if (value.is_number()) curve.series[name][step] = value.get<double>();
}

void AddRow(TrainingCurve& curve, const nlohmann::json& row) {
  const int64_t step = row["step"].get<int64_t>();
  for (const char* key : {"loss", "lr"}) {
    if (row.contains(key)) AddNumber(curve, key, step, row[key]);
  }
  for (const char* group : {"terms", "val"}) {
    if (!row.contains(group) || !row[group].is_object()) continue;
    for (const auto& [name, value] : row[group].items())
      AddNumber(curve, fmt::format("{}/{}", group, name), step, value);
  }
}

std::vector<SvgPoint> Finite(const Series& series) {
  std::vector<SvgPoint> points;
  for (const auto& [step, value] : series) {
    if (std::isfinite(value)) points.push_back({static_cast<double>(step), value});
  }
  return points;
}

// Means of equal stretches: a long run stays a small file and keeps its shape.
std::vector<SvgPoint> Thinned(const std::vector<SvgPoint>& points) {
  if (points.size() <= kPointsPerLine) return points;
  std::vector<SvgPoint> out;
  for (size_t k = 0; k < kPointsPerLine; ++k) {
    const size_t begin = k * points.size() / kPointsPerLine, end = (k + 1) * points.size() / kPointsPerLine;
    SvgPoint mean;
    for (size_t i = begin; i < end; ++i) mean = {mean.x + points[i].x, mean.y + points[i].y};
    out.push_back({mean.x / static_cast<double>(end - begin), mean.y / static_cast<double>(end - begin)});
  }
  return out;
}

// Centred moving mean over about 4 % of the run, shorter towards the ends.
std::vector<SvgPoint> Smoothed(const std::vector<SvgPoint>& points) {
  const int64_t n = std::ssize(points), half = std::max<int64_t>(1, n / 50);
  std::vector<double> sums(n + 1, 0.0);
  for (int64_t i = 0; i < n; ++i) sums[i + 1] = sums[i] + points[i].y;
  std::vector<SvgPoint> out;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t reach = std::min({half, i, n - 1 - i});
    out.push_back(
        {points[i].x, (sums[i + reach + 1] - sums[i - reach]) / static_cast<double>(2 * reach + 1)});
  }
  return out;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  double Position(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

class Drawing {
 public:
  Drawing(const std::vector<Panel>& panels, const std::string& title, const std::string& subtitle)
      : svg_(kWidth, Height(panels), title) {
    svg_.Text({kLeft, 32}, title, {.size = 18, .colour = ink::kText, .bold = true});
    svg_.Text({kLeft, 53}, subtitle, {.size = 13, .colour = ink::kMuted});
    for (const Panel& panel : panels) {
      for (const auto& line : panel.lines) {
        for (const SvgPoint p : Finite(*line.second)) steps_.Add(p.x);
      }
    }
    double top = kTop;
    for (const Panel& panel : panels) {
      Draw(panel, top);
      top += panel.height + kGap;
    }
    DrawSteps(top - kGap);
  }
  std::string str() const { return svg_.str(); }

 private:
  static double Height(const std::vector<Panel>& panels) {
    double height = kTop + kBottom - kGap;
    for (const Panel& panel : panels) height += panel.height + kGap;
    return std::max(height, 160.0);
  }

  double X(double step) const { return kLeft + steps_.Position(step) * (kWidth - kLeft - kRight); }

  void Draw(const Panel& panel, double top) {
    Range values;
    for (const auto& line : panel.lines) {
      for (const SvgPoint p : Finite(*line.second)) values.Add(p.y);
    }
    if (!(values.low <= values.high)) return;
    if (values.low > 0 && values.low < 0.6 * values.high)
      values.low = 0;  // zero in view where it costs little
    const double bottom = top + panel.height;
    auto y = [&](double value) { return bottom - values.Position(value) * panel.height; };
    for (const double tick : RoundTicks(values.low, values.high, static_cast<int>(panel.height / 30))) {
      svg_.Line({kLeft, y(tick)}, {kWidth - kRight, y(tick)}, {.stroke = ink::kGrid});
      svg_.Text({kLeft - 8, y(tick) + 4}, ShortNumber(tick),
                {.size = 11, .anchor = "end", .colour = ink::kMuted});
    }
    svg_.Text({kLeft, top - 9}, panel.label, {.size = 12, .colour = ink::kText, .bold = true});
    for (size_t i = 0; i < panel.lines.size(); ++i) {
      const std::vector<SvgPoint> points = Finite(*panel.lines[i].second);
      if (points.empty()) continue;
      auto on_paper = [&](std::vector<SvgPoint> line) {
        for (SvgPoint& p : line) p = {X(p.x), y(p.y)};
        return line;
      };
      const bool smooth = panel.smooth && points.size() >= 25;
      if (smooth)
        svg_.Polyline(on_paper(Thinned(points)),
                      {.stroke = LineColour(i), .stroke_width = 1, .opacity = 0.28});
      const auto line = on_paper(smooth ? Thinned(Smoothed(points)) : Thinned(points));
      svg_.Polyline(line, {.stroke = LineColour(i), .stroke_width = 1.9});
      if (points.size() <= 24) {
        for (const SvgPoint p : line) svg_.Circle(p, 2.6, {.fill = LineColour(i), .stroke = ink::kPaper});
      }
      const double at = top + 10 + 17 * static_cast<double>(i);
      svg_.Line({kWidth - kRight + 14, at - 4}, {kWidth - kRight + 32, at - 4},
                {.stroke = LineColour(i), .stroke_width = 2.4});
      svg_.Text({kWidth - kRight + 38, at},
                fmt::format("{}: {}", panel.lines[i].first, ShortNumber(points.back().y)), {.size = 11});
    }
  }

  void DrawSteps(double bottom) {
    if (!(steps_.low <= steps_.high)) return;
    for (const double tick : RoundTicks(steps_.low, steps_.high, 8)) {
      svg_.Line({X(tick), bottom}, {X(tick), bottom + 5}, {.stroke = ink::kLine});
      svg_.Text({X(tick), bottom + 18}, ShortNumber(tick),
                {.size = 11, .anchor = "middle", .colour = ink::kMuted});
    }
    svg_.Text({(kLeft + kWidth - kRight) / 2, bottom + 36}, "step",
              {.size = 12, .anchor = "middle", .colour = ink::kMuted});
  }

  SvgDocument svg_;
  Range steps_;
};

std::vector<std::pair<std::string, const Series*>> WithPrefix(const TrainingCurve& curve,
                                                              const std::string& prefix,
                                                              const std::string& ending = "") {
  std::vector<std::pair<std::string, const Series*>> lines;
  for (const auto& [name, series] : curve.series) {
    if (name.starts_with(prefix) && name.ends_with(ending))
      lines.emplace_back(name.substr(prefix.size()), &series);
  }
  return lines;
}

std::vector<Panel> Panels(const TrainingCurve& curve) {
  Panel loss{"training loss", 250, true, {}};
  if (curve.series.contains("loss")) loss.lines.emplace_back("loss", &curve.series.at("loss"));
  for (auto& line : WithPrefix(curve, "terms/")) loss.lines.push_back(line);
  Panel shares{"validation, share of images within a radius", 130, false,
               WithPrefix(curve, "val/acc_")};
  std::sort(shares.lines.begin(), shares.lines.end(), [](const auto& a, const auto& b) {
    return a.first.size() != b.first.size() ? a.first.size() < b.first.size() : a.first < b.first;
  });
  for (auto& line : shares.lines) line.first += " km";
  Panel distances{"validation, error in km", 130, false, WithPrefix(curve, "val/", "_km")};
  Panel rate{"learning rate", 70, false, {}};
  if (curve.series.contains("lr")) rate.lines.emplace_back("lr", &curve.series.at("lr"));
  std::vector<Panel> panels;
  for (Panel& panel : std::vector<Panel>{loss, shares, distances, rate}) {
    if (!panel.lines.empty()) panels.push_back(panel);
  }
  return panels;
}

}  // namespace

TrainingCurve ParseTrainingCurve(std::string_view jsonl, const std::string& where) {
  TrainingCurve curve;
  int64_t line_number = 0;
  for (size_t begin = 0; begin < jsonl.size();) {
    const size_t newline = jsonl.find('\n', begin);
    const bool complete = newline != std::string_view::npos;
    const std::string_view line = jsonl.substr(begin, newline - begin);
    begin = complete ? newline + 1 : jsonl.size();
    ++line_number;
    if (line.empty()) continue;
    const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    if (row.is_object() && row.contains("step") && row["step"].is_number_integer()) {
      AddRow(curve, row);
    } else if (complete) {  // an unfinished last line is what a crash leaves
      throw Error(ErrorCode::kData, "not a JSON object with an integer \"step\"",
                  fmt::format("{}:{}", where, line_number), "Expected the metrics.jsonl of a run.");
    }
  }
  return curve;
}

std::string LossCurveSvg(const TrainingCurve& curve, const std::string& title) {
  std::string subtitle = "no steps yet";
  if (const auto loss = curve.series.find("loss"); loss != curve.series.end() && !loss->second.empty()) {
    const auto& [step, value] = *loss->second.rbegin();
    subtitle = fmt::format("{} steps · loss {} · pale: as logged, dark: moving mean", WithThousands(step),
                           ShortNumber(value));
  }
  return Drawing(Panels(curve), title, subtitle).str();
}

void WriteLossCurve(const std::string& metrics_path, const std::string& svg_path, const std::string& title) {
  const TrainingCurve curve = ParseTrainingCurve(ReadFileToString(metrics_path), metrics_path);
  WriteFileAtomically(PosixFs(), svg_path, LossCurveSvg(curve, title));
}

}  // namespace graticule
