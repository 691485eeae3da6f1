#include "geo/place_neighbours.h"

#include <s2/s2cell_id.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <nanoflann.hpp>
#include <numbers>
#include <thread>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "geo/unit_cloud.h"

namespace graticule {
namespace {

constexpr size_t kPlacesPerTurn = 256;  // that a thread takes at once

struct Found {
  double squared;  // chord
  uint32_t row;    // the first of its place
  bool operator<(const Found& other) const {
    return squared < other.squared || (squared == other.squared && row < other.row);
  }
};

// Equal places have equal vectors.
UnitVector VectorOf(LatLon p) {
  if (std::abs(p.lat_deg) == 90) return {0, 0, std::copysign(1.0, p.lat_deg)};
  return ToUnitVector(Normalised(p));
}

// Distinct places along the S2 curve, so that neighbours in the list are neighbours on Earth and searches
// that follow each other touch the same memory.
struct DistinctPlaces {
  explicit DistinctPlaces(std::span<const LatLon> places) : place_of(places.size(), kNoNeighbour) {
    struct Entry {
      uint64_t cell;
      UnitVector at;
      uint32_t row;
    };
    std::vector<Entry> entries;
    entries.reserve(places.size());
    for (size_t row = 0; row < places.size(); ++row) {
      if (!IsValid(places[row])) continue;
      const UnitVector v = VectorOf(places[row]);
      entries.push_back({S2CellId(S2Point(v.x, v.y, v.z)).id(), v, static_cast<uint32_t>(row)});
    }
    const auto key = [](const Entry& e) { return std::tuple(e.cell, e.at.x, e.at.y, e.at.z, e.row); };
    std::sort(entries.begin(), entries.end(),
              [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
    rows.reserve(entries.size());
    for (const Entry& e : entries) {
      const bool repeats = !cloud.points.empty() && cloud.points.back().x == e.at.x &&
                           cloud.points.back().y == e.at.y && cloud.points.back().z == e.at.z;
      if (!repeats) {
        cloud.points.push_back(e.at);
        begin.push_back(static_cast<uint32_t>(rows.size()));
      }
      place_of[e.row] = static_cast<uint32_t>(cloud.points.size() - 1);
      rows.push_back(e.row);
    }
    begin.push_back(static_cast<uint32_t>(rows.size()));
  }

  size_t size() const { return cloud.points.size(); }
  // Ascending.
  std::span<const uint32_t> RowsOf(size_t place) const {
    return {rows.data() + begin[place], begin[place + 1] - begin[place]};
  }

  UnitCloud cloud;
  std::vector<uint32_t> rows, begin;  // rows of place p: rows[begin[p], begin[p + 1])
  std::vector<uint32_t> place_of;     // by row
};

// The nearest places that are far enough, as a heap with the worst on top. The library skips what is as far
// as the worst: a bound one ulp larger lets ties through, so that rows decide whatever the tree looks like.
class NearestBeyond {
 public:
  using DistanceType = double;
  NearestBeyond(const DistinctPlaces& places, size_t k, double min_squared, std::vector<Found>& heap)
      : places_(places), k_(k), min_squared_(min_squared), heap_(heap) {
    heap_.clear();
  }
  bool addPoint(double squared, uint32_t place) {
    if (squared < min_squared_) return true;
    const Found found{squared, places_.rows[places_.begin[place]]};
    if (full()) {
      if (!(found < heap_.front())) return true;
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
    }
    heap_.push_back(found);
    std::push_heap(heap_.begin(), heap_.end());
    return true;
  }
  bool full() const { return heap_.size() == k_; }
  double worstDist() const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return full() ? std::nextafter(heap_.front().squared, kInfinity) : kInfinity;
  }

 private:
  const DistinctPlaces& places_;
  size_t k_;
  double min_squared_;
  std::vector<Found>& heap_;
};

using KdTree = nanoflann::KDTreeSingleIndexAdaptor<nanoflann::L2_Simple_Adaptor<double, UnitCloud>, UnitCloud,
                                                   3, uint32_t>;

double SquaredChord(double km) {
  const double half = std::min(km / kEvaluationRadiusKm, std::numbers::pi) / 2;
  return 4 * std::sin(half) * std::sin(half);
}

// The rows near a place, by (distance, row): those of its nearest places, as many as a list with one of them
// taken out may need.
void RowsNear(const DistinctPlaces& places, const std::vector<Found>& nearest, size_t wanted,
              std::vector<uint32_t>& rows) {
  rows.clear();
  for (size_t i = 0; i < nearest.size() && rows.size() < wanted;) {
    const size_t start = rows.size();
    const double squared = nearest[i].squared;
    for (; i < nearest.size() && nearest[i].squared == squared; ++i) {
      const auto here = places.RowsOf(places.place_of[nearest[i].row]);
      rows.insert(rows.end(), here.begin(), here.begin() + std::min(here.size(), wanted));
    }
    std::sort(rows.begin() + start, rows.end());
  }
}

}  // namespace

std::vector<uint32_t> NearestOthers(std::span<const LatLon> places, const NeighbourSearch& search) {
  GRATICULE_CHECK(search.neighbours >= 1 && search.threads >= 1 && search.min_km >= 0);
  GRATICULE_CHECK(places.size() < kNoNeighbour, "rows are u32");
  const auto k = static_cast<size_t>(search.neighbours);
  std::vector<uint32_t> lists_NK(places.size() * k, kNoNeighbour);
  const DistinctPlaces distinct(places);
  if (distinct.size() == 0) return lists_NK;
  const KdTree tree(3, distinct.cloud, nanoflann::KDTreeSingleIndexAdaptorParams(8));
  const double min_squared = SquaredChord(search.min_km);

  // One more than K: a row is not its own neighbour, and of each place at least one row counts.
  const auto serve = [&](size_t place, std::vector<Found>& nearest, std::vector<uint32_t>& rows) {
    const UnitVector at = distinct.cloud.points[place];
    const auto own = distinct.RowsOf(place);
    if (min_squared == 0 && own.size() > k) {
      nearest.assign(1, {0, own[0]});
    } else {
      NearestBeyond result(distinct, k + 1, min_squared, nearest);
      const double query[3] = {at.x, at.y, at.z};
      tree.findNeighbors(result, query, nanoflann::SearchParams());
      std::sort_heap(nearest.begin(), nearest.end());
    }
    RowsNear(distinct, nearest, k + 1, rows);
    for (const uint32_t row : own) {
      uint32_t* out = lists_NK.data() + row * k;
      uint32_t* const end = out + k;
      for (size_t i = 0; i < rows.size() && out < end; ++i) {
        if (rows[i] != row) *out++ = rows[i];
      }
    }
  };
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    std::vector<Found> nearest;
    std::vector<uint32_t> rows;
    for (size_t begin; (begin = next.fetch_add(kPlacesPerTurn)) < distinct.size();) {
      const size_t end = std::min(distinct.size(), begin + kPlacesPerTurn);
      for (size_t place = begin; place < end; ++place) serve(place, nearest, rows);
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int t = 1; t < search.threads; ++t) helpers.emplace_back(work);
    work();
  }  // joined before the lists move out
  return lists_NK;
}

}  // namespace graticule
