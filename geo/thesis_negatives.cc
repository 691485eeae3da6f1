#include "geo/thesis_negatives.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/error.h"

namespace graticule {
namespace {

constexpr int64_t kPoolPerNegative = 5;
constexpr int kTopUpRounds = 5;

// Rows in the order in which they came, each once.
class RowSet {
 public:
  void Add(int64_t row) {
    if (seen_.insert(row).second) rows_.push_back(row);
  }
  bool Has(int64_t row) const { return seen_.contains(row); }
  int64_t size() const { return std::ssize(rows_); }
  const std::vector<int64_t>& rows() const { return rows_; }

 private:
  std::unordered_set<int64_t> seen_;
  std::vector<int64_t> rows_;
};

// The first `count` of a random order of these.
std::vector<int64_t> Sample(std::vector<int64_t> rows, int64_t count, Rng& rng) {
  const auto wanted = static_cast<size_t>(std::min(count, std::ssize(rows)));
  for (size_t i = 0; i < wanted; ++i) std::swap(rows[i], rows[i + rng.Below(rows.size() - i)]);
  rows.resize(wanted);
  return rows;
}

// Distinct rows of the gallery, nearest to the anchor first.
std::vector<int64_t> SortedPool(LatLon anchor, std::span<const LatLon> gallery, int64_t size, Rng& rng) {
  RowSet drawn;
  while (drawn.size() < std::min(size, std::ssize(gallery)))
    drawn.Add(static_cast<int64_t>(rng.Below(gallery.size())));
  std::vector<std::pair<double, int64_t>> by_distance;
  for (const int64_t row : drawn.rows()) by_distance.emplace_back(HaversineKm(anchor, gallery[row]), row);
  std::sort(by_distance.begin(), by_distance.end());
  std::vector<int64_t> pool;
  for (const auto& [km, row] : by_distance) pool.push_back(row);
  return pool;
}

// v1 to v3: `each` negatives per anchor from a pool of its own.
RowSet FromPools(std::span<const LatLon> anchors, std::span<const LatLon> gallery, int64_t each,
                 bool nearest_of_pool, Rng& rng) {
  RowSet chosen;
  for (const LatLon anchor : anchors) {
    const std::vector<int64_t> pool = SortedPool(anchor, gallery, kPoolPerNegative * each, rng);
    const auto cut = pool.begin() + std::ssize(pool) * 3 / 10;
    const std::vector<int64_t> near(pool.begin(), cut), far(cut, pool.end());
    if (nearest_of_pool) {
      for (int64_t i = 0; i < std::min(each / 2, std::ssize(pool)); ++i) chosen.Add(pool[i]);
    } else {
      for (const int64_t row : Sample(near, each / 2, rng)) chosen.Add(row);
    }
    for (const int64_t row : Sample(far, each / 2, rng)) chosen.Add(row);
  }
  return chosen;
}

std::vector<int64_t> ToppedUp(RowSet chosen, std::span<const LatLon> gallery, int64_t slots, Rng& rng) {
  for (int round = 0; round < kTopUpRounds && chosen.size() < slots; ++round) {
    const int64_t missing = slots - chosen.size();
    for (int64_t i = 0; i < missing; ++i) chosen.Add(static_cast<int64_t>(rng.Below(gallery.size())));
  }
  std::vector<int64_t> rows = chosen.rows();
  rows.resize(static_cast<size_t>(slots), -1);
  return Sample(std::move(rows), slots, rng);
}

std::vector<int64_t> NineNearest(std::span<const LatLon> anchors, std::span<const LatLon> gallery,
                                 const PlaceIndex& index, int64_t slots, Rng& rng) {
  RowSet found;
  for (const LatLon anchor : anchors) {
    for (const int64_t row : index.Nearest(anchor, 9))
      if (HaversineKm(anchor, gallery[row]) > 0) found.Add(row);
  }
  if (found.size() >= slots) return Sample(found.rows(), slots, rng);
  throw Error(
      ErrorCode::kUsage,
      fmt::format("{} anchors have {} distinct places among their 9 nearest; expected at least the {} "
                  "slots",
                  anchors.size(), found.size(), slots),
      "thesis negatives v4", "Take a larger batch, fewer slots, or distance bands.");
}

// v5 and v6: ranks 1..near_ranks are near, up to all_ranks far.
std::vector<int64_t> ByRank(std::span<const LatLon> anchors, const PlaceIndex& index, size_t near_ranks,
                            int64_t all_ranks, int64_t slots, Rng& rng) {
  RowSet near, far;
  for (const LatLon anchor : anchors) {
    const std::vector<int64_t> nearest = index.Nearest(anchor, all_ranks);
    for (size_t rank = 0; rank < nearest.size(); ++rank) (rank < near_ranks ? near : far).Add(nearest[rank]);
  }
  std::vector<int64_t> rows = Sample(near.rows(), slots / 2, rng);
  const std::unordered_set<int64_t> taken(rows.begin(), rows.end());
  std::vector<int64_t> rest;
  for (const int64_t row : far.rows())
    if (!taken.contains(row)) rest.push_back(row);
  for (const int64_t row : Sample(std::move(rest), slots - slots / 2, rng)) rows.push_back(row);
  rows.resize(static_cast<size_t>(slots), -1);
  return rows;
}

void CheckPlaces(std::span<const LatLon> places, const char* what) {
  if (places.empty()) throw Error(ErrorCode::kUsage, fmt::format("no {}", what), "thesis negatives");
  const auto bad = std::find_if_not(places.begin(), places.end(), IsValid);
  if (bad == places.end()) return;
  throw Error(ErrorCode::kUsage,
              fmt::format("{} {} is ({}, {}); expected a place", what, bad - places.begin(), bad->lat_deg,
                          bad->lon_deg),
              "thesis negatives");
}

}  // namespace

std::vector<int64_t> ThesisNegatives(ThesisVariant variant, std::span<const LatLon> anchors,
                                     std::span<const LatLon> gallery, const PlaceIndex& index, int64_t slots,
                                     Rng& rng) {
  CheckPlaces(anchors, "anchor");
  CheckPlaces(gallery, "gallery place");
  GRATICULE_CHECK(index.size() == std::ssize(gallery));
  const int64_t each = slots / std::ssize(anchors);
  if (each == 0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{} slots for {} anchors; expected one or more for each", slots, anchors.size()),
                "thesis negatives");
  }
  switch (variant) {
    case ThesisVariant::kV1:
      return ToppedUp(FromPools(anchors, gallery, each, false, rng), gallery, slots, rng);
    case ThesisVariant::kV2:
      return ToppedUp(FromPools(anchors, gallery, each / 4, false, rng), gallery, slots, rng);
    case ThesisVariant::kV3: {
      std::vector<int64_t> rows = FromPools(anchors, gallery, each, true, rng).rows();
      rows.resize(static_cast<size_t>(slots), -1);
      return rows;
    }
    case ThesisVariant::kV4:
      return NineNearest(anchors, gallery, index, slots, rng);
    case ThesisVariant::kV5:
      return ByRank(anchors, index, 6, 24, slots, rng);
    case ThesisVariant::kV6:
      return ByRank(anchors, index, 8, 16, slots, rng);
  }
  GRATICULE_CHECK(false, "no such variant");
  return {};
}

}  // namespace graticule
