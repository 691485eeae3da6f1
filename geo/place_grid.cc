#include "geo/place_grid.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace graticule {
namespace {

constexpr double kStepsPerDegree = 1e5;
constexpr int64_t kPole = 9'000'000;   // steps from the equator
constexpr int64_t kTurn = 36'000'000;  // steps around it

}  // namespace

uint64_t PlaceGridKey(LatLon p) {
  GRATICULE_CHECK(IsValid(p));
  const int64_t lat = std::llround(p.lat_deg * kStepsPerDegree);
  int64_t lon = (std::llround(p.lon_deg * kStepsPerDegree) + 2 * kTurn) % kTurn;
  if (std::abs(lat) == kPole) lon = 0;
  return static_cast<uint64_t>((lat + kPole) * kTurn + lon);
}

PlaceMerge MergePlaces(std::span<const LatLon> places) {
  std::vector<std::pair<uint64_t, int64_t>> by_key;
  by_key.reserve(places.size());
  for (size_t row = 0; row < places.size(); ++row)
    by_key.emplace_back(PlaceGridKey(places[row]), static_cast<int64_t>(row));
  std::sort(by_key.begin(), by_key.end());
  PlaceMerge merge;
  merge.row_of.resize(places.size());
  int64_t first = -1;
  for (size_t i = 0; i < by_key.size(); ++i) {
    if (i == 0 || by_key[i].first != by_key[i - 1].first) first = by_key[i].second;
    merge.row_of[by_key[i].second] = first;
  }
  // First rows come before their repeats, so their new numbers are known when a repeat is reached.
  for (size_t row = 0; row < places.size(); ++row) {
    int64_t& target = merge.row_of[row];
    if (target == static_cast<int64_t>(row)) {
      target = std::ssize(merge.kept);
      merge.kept.push_back(static_cast<int64_t>(row));
    } else {
      target = merge.row_of[target];
    }
  }
  return merge;
}

}  // namespace graticule
