#include "geo/place_tree.h"

#include <algorithm>
#include <limits>
#include <numbers>
#include <utility>

#include "base/error.h"
#include "geo/s2_tokens.h"

namespace graticule {
namespace {

constexpr uint32_t kLeafPlaces = 16;
// Chords and haversines of one distance differ by rounding; whatever is this close to an edge (6 mm) counts
// as uncertain and is measured.
constexpr double kSlack = 1e-9;
constexpr double kHalfTurnKm = std::numbers::pi * kEvaluationRadiusKm;

double ChordOf(double km) {
  if (km >= kHalfTurnKm) return std::numeric_limits<double>::infinity();
  return 2 * std::sin(km / (2 * kEvaluationRadiusKm));
}

double Distance(UnitVector a, UnitVector b) {
  const double x = a.x - b.x, y = a.y - b.y, z = a.z - b.z;
  return std::sqrt(x * x + y * y + z * z);
}

}  // namespace

uint32_t RingCover::At(int64_t i) const {
  const auto run = std::upper_bound(ends_.begin(), ends_.end(), i) - ends_.begin();
  const int64_t before = run == 0 ? 0 : ends_[run - 1];
  return begins_[run] + static_cast<uint32_t>(i - before);
}

void RingCover::Clear() {
  begins_.clear();
  ends_.clear();
  open_.clear();
}

void RingCover::Add(uint32_t begin, uint32_t end) {
  begins_.push_back(begin);
  ends_.push_back(size() + (end - begin));
}

PlaceTree::Node PlaceTree::MakeNode(std::span<const UnitVector> points, uint32_t begin, uint32_t end) const {
  Node node{{}, 0, begin, end, 0, 0, 0};
  for (uint32_t slot = begin; slot < end; ++slot) {
    node.centre.x += points[slot].x;
    node.centre.y += points[slot].y;
    node.centre.z += points[slot].z;
  }
  const double count = end - begin;
  node.centre = {node.centre.x / count, node.centre.y / count, node.centre.z / count};
  for (uint32_t slot = begin; slot < end; ++slot)
    node.radius = std::max(node.radius, Distance(node.centre, points[slot]));
  return node;
}

PlaceTree::PlaceTree(std::span<const LatLon> places, std::span<const int64_t> rows) {
  GRATICULE_CHECK(places.size() == rows.size() && places.size() < std::numeric_limits<uint32_t>::max());
  std::vector<std::pair<uint64_t, uint32_t>> curve;
  curve.reserve(places.size());
  for (const LatLon p : places) {
    GRATICULE_CHECK(IsValid(p));
    curve.emplace_back(S2CellIdOf(Normalised(p)), static_cast<uint32_t>(curve.size()));
  }
  std::sort(curve.begin(), curve.end());
  std::vector<UnitVector> points;
  points.reserve(places.size());
  entries_.reserve(places.size());
  for (const auto& [id, given] : curve) {
    entries_.push_back({places[given], rows[given]});
    points.push_back(ToUnitVector(places[given]));
  }
  if (!places.empty()) nodes_.push_back(MakeNode(points, 0, static_cast<uint32_t>(places.size())));
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const uint32_t begin = nodes_[n].begin, end = nodes_[n].end;
    if (end - begin <= kLeafPlaces) continue;
    const uint64_t first = curve[begin].first, last = curve[end - 1].first;
    int level = nodes_[n].level;  // cells that hold all of the places would add nothing
    while (level <= kS2MaxLevel && S2Parent(first, level) == S2Parent(last, level)) ++level;
    if (level > kS2MaxLevel) continue;
    nodes_[n].first_child = static_cast<uint32_t>(nodes_.size());
    for (uint32_t at = begin; at < end;) {
      const uint64_t last_of_cell = S2LastLeaf(S2Parent(curve[at].first, level));
      const auto next = std::partition_point(curve.begin() + at, curve.begin() + end,
                                             [&](const auto& entry) { return entry.first <= last_of_cell; });
      const auto stop = static_cast<uint32_t>(next - curve.begin());
      nodes_.push_back(MakeNode(points, at, stop));
      nodes_.back().level = static_cast<uint8_t>(level);
      ++nodes_[n].children;
      at = stop;
    }
  }
}

void PlaceTree::Cover(LatLon centre, double low_km, double high_km, RingCover& cover) const {
  cover.Clear();
  const double low = ChordOf(low_km), high = ChordOf(high_km);
  const UnitVector from = ToUnitVector(centre);
  if (!nodes_.empty()) cover.open_.push_back(0);
  int64_t inside = 0, edge = 0;  // places of runs
  while (!cover.open_.empty()) {
    int64_t unopened = 0;
    cover.next_.clear();
    for (const uint32_t n : cover.open_) {
      const Node& node = nodes_[n];
      const double distance = Distance(from, node.centre);
      const double nearest = distance - node.radius, farthest = distance + node.radius;
      if (nearest > high + kSlack || farthest < low - kSlack) continue;
      const int64_t count = node.end - node.begin;
      if (nearest > low + kSlack && farthest < high - kSlack) {
        cover.Add(node.begin, node.end);
        inside += count;
      } else if (node.children == 0) {
        cover.Add(node.begin, node.end);
        edge += count;
      } else {
        for (uint32_t child = 0; child < node.children; ++child)
          cover.next_.push_back(node.first_child + child);
        unopened += count;
      }
    }
    std::swap(cover.open_, cover.next_);
    if (unopened + edge > inside) continue;
    for (const uint32_t n : cover.open_) cover.Add(nodes_[n].begin, nodes_[n].end);
    return;
  }
}

}  // namespace graticule
