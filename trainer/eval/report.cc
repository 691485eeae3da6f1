#include "trainer/eval/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/csv.h"
#include "base/json_text.h"
#include "geo/svg_map.h"

namespace graticule {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMapLowKm = 1, kMapHighKm = 20000;

// Weights that exist in memory alone, while training, have no file to hash.
Json HashOrNull(const std::string& hash) { return hash.empty() ? Json(nullptr) : Json(hash); }

bool HasPlace(const EvalRow& row) {
  return std::isfinite(row.truth.lat_deg) && std::isfinite(row.truth.lon_deg);
}

// Not-a-number becomes null: JSON has no other word for it.
Json Numbers(const std::map<std::string, double>& named) {
  Json json = Json::object();
  for (const auto& [name, value] : named) json[name] = value;
  return json;
}

Json Figures(const DistanceMetrics& metrics) {
  Json json = {{"images", metrics.images}};
  json.update(Numbers(metrics.Named()));
  return json;
}

Json Definitions(const BootstrapOptions& options) {
  return {{"error_km", "great-circle distance between truth and prediction by the haversine formula"},
          {"radius_km", kEvaluationRadiusKm},
          {"acc_R", "fraction of images with error_km strictly less than R"},
          {"geoscore", "mean over images of the unrounded score 5000 * exp(-error_km / 1492.7)"},
          {"median_km", "middle error; the mean of the middle two for an even number of images"},
          {"intervals_95", options.replicates > 0
                               ? fmt::format("percentile bootstrap over images, {} replicates, seed {}",
                                             options.replicates, options.seed)
                               : "not computed"},
          {"by_country", "by the country of the truth"},
          {"probability_25km", "summed softmax of all places nearer than 25 km to the predicted one"}};
}

std::vector<EvalRow> SortedByRecord(std::vector<EvalRow> rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const EvalRow& a, const EvalRow& b) { return a.record < b.record; });
  return rows;
}

std::vector<double> SortedErrors(std::span<const EvalRow> rows) {
  std::vector<double> errors;
  for (const EvalRow& row : rows) {
    if (HasPlace(row)) errors.push_back(HaversineKm(row.truth, row.prediction));
  }
  std::sort(errors.begin(), errors.end());
  return errors;
}

struct MapDot {
  LatLon at;
  double error_km = 0, radius = 0;
  std::string tooltip;
};

// More dots than this hide one another and make a file that browsers are slow to show.
constexpr size_t kMaxDots = 5000;
constexpr double kGroupDeg = 2;

std::vector<MapDot> OneDotPerImage(std::span<const EvalRow> rows) {
  std::vector<MapDot> dots;
  for (const EvalRow& row : rows) {
    if (!HasPlace(row)) continue;
    const double km = HaversineKm(row.truth, row.prediction);
    dots.push_back(
        {row.truth, km, rows.size() < 500 ? 3.6 : 2.6, fmt::format("{}: {} km", row.id, ShortNumber(km))});
  }
  return dots;
}

// Neighbouring images become one dot with their median error, its area growing with their number.
std::vector<MapDot> OneDotPerGroup(const std::vector<MapDot>& dots) {
  std::map<std::pair<int, int>, std::vector<const MapDot*>> groups;
  size_t largest = 1;
  for (const MapDot& dot : dots) {
    const int band = static_cast<int>(std::floor(dot.at.lat_deg / kGroupDeg));
    const double shrink = std::cos((band + 0.5) * kGroupDeg * std::numbers::pi / 180);  // meridians converge
    auto& group = groups[{band, static_cast<int>(std::floor(dot.at.lon_deg * shrink / kGroupDeg))}];
    group.push_back(&dot);
    largest = std::max(largest, group.size());
  }
  std::vector<MapDot> merged;
  for (const auto& [cell, members] : groups) {
    UnitVector sum;
    std::vector<double> errors;
    for (const MapDot* dot : members) {
      const UnitVector v = ToUnitVector(dot->at);
      sum = {sum.x + v.x, sum.y + v.y, sum.z + v.z};
      errors.push_back(dot->error_km);
    }
    const double median = Summarise(errors).median_km;
    const double share = static_cast<double>(members.size()) / static_cast<double>(largest);
    merged.push_back(
        {ToLatLon(sum), median, 1.6 + 3.4 * std::sqrt(share),
         fmt::format("{} images, median {} km", WithThousands(std::ssize(members)), ShortNumber(median))});
  }
  return merged;
}

std::string Subtitle(const DistanceMetrics& m) {
  return fmt::format("{} images · median {} km · mean {} km · GeoScore {:.0f}", WithThousands(m.images),
                     ShortNumber(m.median_km), ShortNumber(m.mean_km), m.geoscore);
}

}  // namespace

std::string PredictionsCsv(std::span<const EvalRow> rows) {
  std::string csv = "id,lat,lon,pred_lat,pred_lon,error_km,cell,probability,country,probability_25km\n";
  for (const EvalRow& row : rows) {
    const bool known = HasPlace(row);
    csv += fmt::format("{},{},{},{},{},{},{},{:.9g},{},{:.9g}\n", CsvField(row.id),
                       known ? fmt::format("{}", row.truth.lat_deg) : "",
                       known ? fmt::format("{}", row.truth.lon_deg) : "", row.prediction.lat_deg,
                       row.prediction.lon_deg,
                       known ? fmt::format("{:.6f}", HaversineKm(row.truth, row.prediction)) : "", row.cell,
                       row.probability, CsvField(row.country), row.probability_25km);
  }
  return csv;
}

std::string MetricsJson(const Evaluation& e, const EvalProvenance& provenance,
                        const BootstrapOptions& options) {
  Json intervals = Json::object();
  for (const auto& [name, interval] : e.intervals_95) intervals[name] = {interval.low, interval.high};
  Json countries = Json::object();
  for (const auto& [country, metrics] : e.by_country) countries[country] = Figures(metrics);
  Json protocol = Json::object();
  for (const auto& [key, value] : provenance.protocol) protocol[key] = value;
  Json hashes = {{"data_sha256", provenance.data_sha256},
                 {"cells_sha256", provenance.cells_sha256},
                 {"weights_sha256", HashOrNull(provenance.weights_sha256)}};
  if (!provenance.gallery_sha256.empty()) hashes["gallery_sha256"] = provenance.gallery_sha256;
  Json json = {{"version", 1},
               {"set", provenance.set},
               {"model", provenance.model},
               {"step", provenance.step < 0 ? Json(nullptr) : Json(provenance.step)},
               {"metrics", Numbers(e.all.Named())},
               {"intervals_95", intervals},
               {"denominators",
                {{"records", e.records},
                 {"images", e.all.images},
                 {"without_place", e.without_place},
                 {"with_country", e.all.images - e.without_country}}},
               {"definitions", Definitions(options)},
               {"hashes", hashes},
               {"protocol", protocol},
               {"by_country", countries}};
  if (!provenance.ceiling.empty()) json["ceiling"] = provenance.ceiling;
  return JsonText(json, 2) + "\n";
}

std::string ErrorMapSvg(std::span<const EvalRow> rows, const std::string& title) {
  std::vector<MapDot> dots = OneDotPerImage(rows);
  const bool grouped = dots.size() > kMaxDots;
  if (grouped) dots = OneDotPerGroup(dots);
  std::stable_sort(dots.begin(), dots.end(),
                   [](const MapDot& a, const MapDot& b) { return a.error_km < b.error_km; });
  WorldMap map({.title = title, .subtitle = Subtitle(Summarise(SortedErrors(rows)))});
  for (const MapDot& dot : dots) {
    map.Point(dot.at, dot.radius, ErrorRamp().At(LogPosition(dot.error_km, kMapLowKm, kMapHighKm)),
              dot.tooltip);
  }
  map.LogLegend(grouped ? "median error in km of neighbouring images, at their true place"
                        : "error in km, at the true place",
                ErrorRamp(), kMapLowKm, kMapHighKm);
  return map.str();
}

std::string ErrorCdfSvg(std::span<const EvalRow> rows, const std::string& title) {
  constexpr double kWidth = 860, kHeight = 460, kLeft = 64, kTop = 84, kRight = 28, kBottom = 52;
  constexpr double kLowKm = 0.1;
  const std::vector<double> errors = SortedErrors(rows);
  const DistanceMetrics metrics = Summarise(errors);
  SvgDocument svg(kWidth, kHeight, title);
  auto x = [&](double km) { return kLeft + LogPosition(km, kLowKm, kMapHighKm) * (kWidth - kLeft - kRight); };
  auto y = [&](double share) { return kHeight - kBottom - share * (kHeight - kTop - kBottom); };
  svg.Text({kLeft, 32}, title, {.size = 18, .colour = ink::kText, .bold = true});
  svg.Text({kLeft, 53}, Subtitle(metrics), {.size = 13, .colour = ink::kMuted});
  for (int percent = 0; percent <= 100; percent += 20) {
    svg.Line({kLeft, y(percent / 100.0)}, {kWidth - kRight, y(percent / 100.0)}, {.stroke = ink::kGrid});
    svg.Text({kLeft - 8, y(percent / 100.0) + 4}, fmt::format("{} %", percent),
             {.size = 11, .anchor = "end", .colour = ink::kMuted});
  }
  for (const double km : {0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0}) {
    svg.Line({x(km), y(0)}, {x(km), y(0) + 5}, {.stroke = ink::kLine});
    svg.Text({x(km), y(0) + 18}, fmt::format("{}", km),
             {.size = 11, .anchor = "middle", .colour = ink::kMuted});
  }
  svg.Text({(kLeft + kWidth - kRight) / 2, kHeight - 12}, "error in km",
           {.size = 12, .anchor = "middle", .colour = ink::kMuted});
  std::vector<SvgPoint> curve{{kLeft, y(0)}};
  for (size_t i = 0; i < errors.size(); ++i) {
    const double share = static_cast<double>(i + 1) / static_cast<double>(errors.size());
    const SvgPoint p{x(errors[i]), y(share)};
    // Points closer than half a pixel add bytes, not information.
    if (i + 1 < errors.size() && p.x - curve.back().x < 0.5 && curve.back().y - p.y < 0.5) continue;
    curve.push_back({p.x, curve.back().y});
    curve.push_back(p);
  }
  if (!errors.empty()) curve.push_back({kWidth - kRight, y(1)});
  for (size_t t = 0; t < kThresholdsKm.size() && !errors.empty(); ++t) {
    const double km = kThresholdsKm[t], share = metrics.within[t];
    svg.Line({x(km), y(0)}, {x(km), y(1)}, {.stroke = ink::kLine, .stroke_width = 0.8, .dash = "3 4"});
    svg.Text({x(km), y(1) - 6}, fmt::format("{:.0f} km", km),
             {.size = 10, .anchor = "middle", .colour = ink::kMuted});
    const bool left = share > 0.9, above = left || share < 0.06;  // keep the label clear of curve and axis
    svg.Text({x(km) + (left ? -7 : 7), y(share) + (above ? -8 : 14)}, fmt::format("{:.1f} %", 100 * share),
             {.size = 11, .anchor = left ? "end" : "start", .colour = ink::kText, .bold = true});
  }
  svg.Polyline(curve, {.stroke = LineColour(0), .stroke_width = 2});
  for (size_t t = 0; t < kThresholdsKm.size() && !errors.empty(); ++t) {
    svg.Circle({x(kThresholdsKm[t]), y(metrics.within[t])}, 3.5,
               {.fill = LineColour(1), .stroke = ink::kPaper});
  }
  return svg.str();
}

Evaluation WriteEvaluation(FileSystem& fs, const std::string& folder, std::vector<EvalRow> rows,
                           const EvalProvenance& provenance, const BootstrapOptions& options) {
  rows = SortedByRecord(std::move(rows));
  const Evaluation evaluation = Evaluate(rows, options);
  fs.MakeDirs(folder);
  WriteFileAtomically(fs, JoinPath(folder, "predictions.csv"), PredictionsCsv(rows));
  WriteFileAtomically(fs, JoinPath(folder, "error_map.svg"),
                      ErrorMapSvg(rows, "Where the errors are: " + provenance.set));
  WriteFileAtomically(fs, JoinPath(folder, "error_cdf.svg"),
                      ErrorCdfSvg(rows, "How large the errors are: " + provenance.set));
  // Last: whoever finds it finds the others too.
  WriteFileAtomically(fs, JoinPath(folder, "metrics.json"), MetricsJson(evaluation, provenance, options));
  return evaluation;
}

}  // namespace graticule
