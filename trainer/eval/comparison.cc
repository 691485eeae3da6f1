#include "trainer/eval/comparison.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "trainer/eval/baselines.h"

namespace graticule {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kMetricNames[] = {"acc_1", "acc_25", "acc_200", "acc_750", "acc_2500", "median_km"};

Json ModelJson(const std::vector<EvalRow>& rows) {
  std::vector<double> errors;
  for (const EvalRow& row : rows) {
    if (IsValid(row.truth)) errors.push_back(HaversineKm(row.truth, row.prediction));
  }
  const DistanceMetrics metrics = Summarise(errors);
  Json object = Json::object();
  object["images"] = metrics.images;
  for (const auto& [name, value] : metrics.Named()) object[name] = value;
  return object;
}

// The model first, then the baselines in their fixed order.
Json Together(const Json& model, const Json& baselines) {
  Json object = Json::object();
  object["model"] = model;
  for (const char* name : kBaselineNames) {
    if (baselines.contains(name)) object[name] = baselines[name];
  }
  return object;
}

double Ratio(const Json& group, const char* baseline) {
  if (!group.contains(baseline)) return kNaN;
  const double own = group["model"]["acc_750"], other = group[baseline]["acc_750"];
  return other > 0 ? own / other : kNaN;  // nothing to compare with
}

std::string Times(double ratio, const char* other) {
  return std::isfinite(ratio) ? fmt::format("{:.1f} times as many as {}", ratio, other)
                              : fmt::format("some where {} finds none", other);
}

std::string TableOf(const std::string& title, const Json& group) {
  std::string text = fmt::format("{:<16}{:>9}{:>9}{:>9}{:>9}{:>9}{:>11}\n", title, "1 km", "25 km", "200 km",
                                 "750 km", "2500 km", "median km");
  for (const auto& [name, metrics] : group.items()) {
    text += fmt::format("  {:<14}", name);
    for (const char* metric : kMetricNames) {
      const double value = metrics[metric].is_number() ? metrics[metric].get<double>() : kNaN;
      text += std::string(metric) == "median_km" ? fmt::format("{:>11.0f}", value)
                                                 : fmt::format("{:>8.1f}%", 100 * value);
    }
    text += "\n";
  }
  return text;
}

Json ReadBaselines(const std::string& path) {
  const Json baselines = Json::parse(ReadFileToString(path), nullptr, false);
  if (baselines.is_object() && baselines.contains("parts")) return baselines;
  throw Error(ErrorCode::kData, "found no object with \"parts\"", path,
              "Write it with `graticule data baselines --out`.");
}

void CheckSameImages(const std::string& part, const Json& model, const Json& baselines,
                     const std::string& path) {
  const int64_t own = model["images"], other = baselines["common_cell"]["images"];
  if (own == other) return;
  throw Error(ErrorCode::kData,
              fmt::format("part {} has {} images here and {} predictions of the model", part, other, own),
              path, "Evaluate model and baselines on the same split of the same dataset.");
}

}  // namespace

std::vector<EvalRow> ReadPredictions(const std::string& path) {
  const auto csv = CsvReader::Open(path);
  const size_t id = csv->Require({"id"}), lat = csv->Require({"lat"}), lon = csv->Require({"lon"});
  const size_t pred_lat = csv->Require({"pred_lat"}), pred_lon = csv->Require({"pred_lon"});
  const auto country = csv->Find("country");
  std::vector<EvalRow> rows;
  CsvRow line;
  while (csv->Next(line)) {
    const auto number = [&](size_t column) {
      return line.complete ? ToDouble(line.fields[column]) : std::nullopt;
    };
    EvalRow row{.record = line.row};
    const auto to_lat = number(pred_lat), to_lon = number(pred_lon);
    if (!to_lat || !to_lon) {
      throw Error(ErrorCode::kData, "found a row without predicted coordinates",
                  fmt::format("{}:{}", path, line.line), "Evaluate again; the file may have been cut short.");
    }
    row.id = line.fields[id];
    row.truth = {number(lat).value_or(kNaN), number(lon).value_or(kNaN)};
    row.prediction = {*to_lat, *to_lon};
    if (country) row.country = line.fields[*country];
    rows.push_back(std::move(row));
  }
  return rows;
}

Comparison CompareWithBaselines(const std::map<std::string, std::string>& eval_folders,
                                const std::string& baselines_path) {
  const Json baselines = ReadBaselines(baselines_path);
  Comparison comparison;
  std::vector<EvalRow> all;
  Json parts = Json::object();
  for (const auto& [part, folder] : eval_folders) {
    auto& rows = comparison.rows[part] = ReadPredictions(JoinPath(folder, "predictions.csv"));
    if (!baselines["parts"].contains(part)) {
      throw Error(ErrorCode::kData, fmt::format("found no part \"{}\"", part), baselines_path,
                  "Name it with --eval-split.");
    }
    const Json model = ModelJson(rows);
    CheckSameImages(part, model, baselines["parts"][part], baselines_path);
    parts[part] = Together(model, baselines["parts"][part]);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  Json summary = Together(ModelJson(all), baselines);
  comparison.table = TableOf("all parts", summary);
  for (const auto& [part, group] : parts.items()) comparison.table += TableOf(part, group);
  const double over_common = Ratio(summary, "common_cell"), over_colour = Ratio(summary, "colour_knn");
  comparison.table +=
      fmt::format("within 750 km the model finds {} and {}\n", Times(over_common, "the most common cell"),
                  Times(over_colour, "the nearest neighbour in colour"));
  summary["parts"] = parts;
  summary["ratios_750"] = {{"common_cell", over_common}, {"colour_knn", over_colour}};
  summary["largest_cell_share"] = baselines.value("largest_cell_share", kNaN);
  comparison.summary_json = JsonText(summary, 1) + "\n";
  return comparison;
}

}  // namespace graticule
