#include "data/loader/sample_weights.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace graticule {

std::vector<int64_t> GroupsByCell(const Dataset& dataset, const CellTable& cells) {
  std::vector<int64_t> groups;
  groups.reserve(static_cast<size_t>(dataset.size()));
  for (int64_t record = 0; record < dataset.size(); ++record)
    groups.push_back(cells.CellOf(dataset.place(record)).value_or(-1));
  return groups;
}

std::vector<int64_t> GroupsByCountry(const Dataset& dataset) {
  std::vector<int64_t> groups;
  groups.reserve(static_cast<size_t>(dataset.size()));
  for (int64_t record = 0; record < dataset.size(); ++record)
    groups.push_back(dataset.meta(record).country_iso);
  return groups;
}

std::vector<uint64_t> SampleWeights(const std::vector<int64_t>& groups, double alpha) {
  constexpr double kRarest = 1 << 24;
  std::unordered_map<int64_t, int64_t> members;
  for (const int64_t group : groups) ++members[group];
  int64_t rarest = INT64_MAX;
  for (const auto& [group, count] : members) rarest = std::min(rarest, count);
  std::unordered_map<int64_t, uint64_t> weight_of;
  for (const auto& [group, count] : members) {
    const double ratio = static_cast<double>(count) / static_cast<double>(rarest);
    weight_of[group] =
        std::max<uint64_t>(1, static_cast<uint64_t>(std::llround(kRarest * std::pow(ratio, -alpha))));
  }
  std::vector<uint64_t> weights;
  weights.reserve(groups.size());
  for (const int64_t group : groups) weights.push_back(weight_of.at(group));
  return weights;
}

}  // namespace graticule
