// Nearest of a fixed set of places to any point: a k-d tree over unit vectors, so poles and the antimeridian
// are ordinary places and the order by chord is the order by great circle.
//
// Total unless the set is empty; equal distances give the smallest index. Owns a copy of the places.
// Immutable after construction; Nearest is thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

class PlaceIndex {
 public:
  explicit PlaceIndex(std::span<const LatLon> places);
  ~PlaceIndex();
  PlaceIndex(PlaceIndex&&) noexcept;
  PlaceIndex& operator=(PlaceIndex&&) noexcept;

  int64_t size() const;
  int64_t Nearest(LatLon p) const;  // -1 when the set is empty or p is not finite
  // The k nearest, ascending by distance, fewer when the set holds fewer; none when p is not finite.
  std::vector<int64_t> Nearest(LatLon p, int64_t k) const;

 private:
  struct Tree;
  std::unique_ptr<Tree> tree_;
};

}  // namespace graticule
