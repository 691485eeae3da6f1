#include "trainer/recipes/pair_warnings.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fs.h"
#include "geo/variogram/variogram_curve.h"

namespace graticule {
namespace {

// States of earlier versions do not know what was compared.
std::string NumbersOf(VariogramCurve curve) {
  curve.values.clear();
  return VariogramJson(curve, nlohmann::ordered_json::object());
}

bool Holds(const std::string& path, const VariogramCurve& curve) {
  try {
    return NumbersOf(ReadVariogram(path)) == NumbersOf(curve);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::vector<std::string> PairWarnings(const PairConfig& pair, const std::string& recipe_state) {
  if (pair.use == "none") return {};
  std::vector<std::string> lines;
  const auto state = nlohmann::json::parse(recipe_state);
  const bool goes_on = state.contains("variogram");
  const VariogramCurve curve =
      goes_on ? ParseVariogram(state["variogram"].dump(), "the checkpoint's recipe state")
              : ReadVariogram(pair.file);
  if (goes_on && PosixFs().Exists(pair.file) && !Holds(pair.file, curve)) {
    lines.push_back(fmt::format(
        "{} is not the curve that the run was started with: loss.pair goes on with that one, which is "
        "in state.json; a new curve needs another run.dir",
        pair.file));
  }
  if (!curve.values.empty() && curve.values != "embeddings") {
    lines.push_back(fmt::format(
        "loss.pair.file is a variogram of {}, not of embeddings: it does not say how alike the tower "
        "finds images (graticule variogram --embeddings)",
        curve.values));
  }
  return lines;
}

}  // namespace graticule
