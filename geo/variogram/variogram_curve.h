// An estimated semivariogram as it is kept: the points, the fitted curve, and where they come from
// (variogram.json, docs/FORMATS.md).
//
// Reading checks names, numbers and order and throws Error(kData) naming the key. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "geo/variogram/variogram_model.h"

namespace graticule {

// What was found between two lags.
struct VariogramBin {
  double low_km = 0, high_km = 0;  // low < lag <= high
  int64_t pairs = 0;
  double mean = 0;    // gamma
  double std = 0;     // of the half squared differences of single pairs
  double lag_km = 0;  // mean lag of the pairs
  double error = 0;   // standard error of the mean; NaN where not estimated
  double weight = 0;  // as many pairs of equal weight would say as much
  bool operator==(const VariogramBin&) const = default;
};

struct VariogramInterval {
  double low = 0, high = 0;  // 95 %
  bool operator==(const VariogramInterval&) const = default;
};

struct VariogramCurve {
  VariogramModel model;
  double rho_km = 0;  // beyond it places are as unlike as any two
  std::vector<VariogramBin> bins;
  std::map<std::string, VariogramInterval>
      intervals;            // of "c0", "c", "a" or "ell", "alpha", "rho"; may be empty
  std::string values = {};  // what was compared: "embeddings", "label climate", "scalar elev_m"; "": not said
};

// more: further members of the object, such as what was read; a reader passes them over.
std::string VariogramJson(const VariogramCurve& curve, const nlohmann::ordered_json& more);
VariogramCurve ParseVariogram(std::string_view text, const std::string& where);
VariogramCurve ReadVariogram(const std::string& path);

}  // namespace graticule
