#include "geo/variogram/variogram_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/fs.h"
#include "base/json_object.h"
#include "geo/latlon.h"

namespace graticule {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "graticule-variogram";
constexpr char kHint[] = "Expected a file that `graticule variogram` wrote.";
constexpr size_t kColumns = 8;
constexpr const char* kColumnNames[kColumns] = {"low_km", "high_km", "n",     "mean",
                                                "std",    "lag_km",  "error", "n_effective"};

const char* RangeKey(VariogramShape shape) { return shape == VariogramShape::kStable ? "ell" : "a"; }

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double Positive(const JsonObject& object, const char* key) {
  const double value = object.Number(key);
  if (!(value > 0 && std::isfinite(value))) object.Fail(key, "is not above 0");
  return value;
}

VariogramModel ModelOf(const JsonObject& root) {
  VariogramModel model;
  const auto shape = VariogramShapeNamed(root.String("model"));
  if (!shape) root.Fail("model", "is not spherical, exponential, gaussian or stable");
  model.shape = *shape;
  model.nugget = root.Number("c0");
  if (!(model.nugget >= 0 && std::isfinite(model.nugget))) root.Fail("c0", "is negative");
  model.sill = Positive(root, "c");
  model.range_km = Positive(root, RangeKey(model.shape));
  if (model.shape == VariogramShape::kStable) {
    model.alpha = Positive(root, "alpha");
    if (model.alpha > 2) root.Fail("alpha", "is above 2");
  }
  return model;
}

VariogramBin BinOf(const JsonObject& root, const nlohmann::json& row, size_t i, double from_km) {
  const auto fail = [&](const std::string& problem) {
    root.Fail("bins", fmt::format("has a row {} that {}", i, problem));
  };
  if (!row.is_array() || row.size() != kColumns) fail(fmt::format("is no list of {} numbers", kColumns));
  for (size_t k = 0; k < kColumns; ++k) {
    const bool fits =
        row[k].is_number() || (row[k].is_null() && kColumnNames[k] == std::string_view("error"));
    if (!fits) fail(fmt::format("holds no number for {}", kColumnNames[k]));
  }
  if (!row[2].is_number_integer()) fail("holds no whole number for n");
  VariogramBin bin{.low_km = row[0],
                   .high_km = row[1],
                   .pairs = row[2],
                   .mean = row[3],
                   .std = row[4],
                   .lag_km = row[5],
                   .error = row[6].is_null() ? std::nan("") : row[6].get<double>(),
                   .weight = row[7]};
  if (!(bin.low_km >= from_km && bin.high_km > bin.low_km)) fail("does not follow the one before");
  if (!(bin.lag_km >= bin.low_km && bin.lag_km <= bin.high_km)) fail("has its mean lag outside");
  if (bin.pairs < 1 || !(bin.std >= 0) || !(bin.weight > 0)) fail("has no pairs or a negative spread");
  return bin;
}

}  // namespace

std::string VariogramJson(const VariogramCurve& curve, const Json& more) {
  const VariogramModel& m = curve.model;
  Json root = {
      {"format", kFormat}, {"version", 1}, {"model", NameOf(m.shape)}, {"c0", m.nugget}, {"c", m.sill}};
  root[RangeKey(m.shape)] = m.range_km;
  if (m.shape == VariogramShape::kStable) root["alpha"] = m.alpha;
  root["rho"] = curve.rho_km;
  root["interval95"] = Json::object();
  for (const auto& [name, interval] : curve.intervals)
    root["interval95"][name] = {NumberOrNull(interval.low), NumberOrNull(interval.high)};
  if (!curve.values.empty()) root["values"] = curve.values;
  root.update(more);
  root["bin_columns"] = kColumnNames;
  root["bins"] = Json::array();
  for (const VariogramBin& b : curve.bins) {
    root["bins"].push_back(
        {b.low_km, b.high_km, b.pairs, b.mean, b.std, b.lag_km, NumberOrNull(b.error), b.weight});
  }
  return root.dump() + "\n";
}

VariogramCurve ParseVariogram(std::string_view text, const std::string& where) {
  const nlohmann::json value = ParseJson(text, where, kHint);
  const JsonObject root(value, "", where, kHint);
  if (root.String("format") != kFormat) root.Fail("format", fmt::format("is not \"{}\"", kFormat));
  if (root.Unsigned("version") != 1) root.Fail("version", "is not 1");
  VariogramCurve curve{.model = ModelOf(root), .rho_km = Positive(root, "rho"), .bins = {}, .intervals = {}};
  if (root.Has("values")) curve.values = root.String("values");
  const nlohmann::json& bins = root.List("bins");
  for (size_t i = 0; i < bins.size(); ++i)
    curve.bins.push_back(BinOf(root, bins[i], i, i == 0 ? 0 : curve.bins.back().high_km));
  if (curve.bins.empty()) root.Fail("bins", "is empty");
  if (root.Has("interval95")) {
    const JsonObject intervals = root.Child("interval95");
    for (const auto& [name, pair] : intervals.value().items()) {
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_number())
        intervals.Fail(name.c_str(), "is no pair of numbers");
      curve.intervals[name] = {pair[0], pair[1]};
    }
  }
  return curve;
}

VariogramCurve ReadVariogram(const std::string& path) { return ParseVariogram(ReadFileToString(path), path); }

}  // namespace graticule
