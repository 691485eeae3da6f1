// Great-circle distance from any point to the nearest of a fixed set of lines, and which line that is:
// coasts, borders.
//
// Between two vertices a line is straight in degrees, as it is in map files, and is cut into pieces of at
// most kPieceKm, each a great-circle arc. All pieces that can hold the nearest point are compared, so the
// distance is exact for those arcs. Distances in km on the sphere of reports (6371.0 km). Of equally near
// lines the smallest number wins. Owns copies; about 50 bytes per piece. Immutable after construction;
// Nearest is thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

class LineIndex {
 public:
  static constexpr double kPieceKm = 2;
  // One vertex is a line too. Every vertex must be valid (IsValid).
  explicit LineIndex(std::span<const std::vector<LatLon>> lines);
  ~LineIndex();
  LineIndex(LineIndex&&) noexcept;
  LineIndex& operator=(LineIndex&&) noexcept;

  struct Hit {
    double km = 0;
    int64_t line = -1;  // -1: there is no line, or p is not finite
  };
  Hit Nearest(LatLon p) const;

 private:
  struct Tree;
  std::unique_ptr<Tree> tree_;
};

}  // namespace graticule
