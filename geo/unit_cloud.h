// Points of the unit sphere as nanoflann wants to see them. For the trees of this folder; the tree keeps a
// reference to its cloud.
#pragma once

#include <cstddef>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

struct UnitCloud {
  std::vector<UnitVector> points;

  size_t kdtree_get_point_count() const { return points.size(); }
  double kdtree_get_pt(size_t i, size_t axis) const {
    return axis == 0 ? points[i].x : axis == 1 ? points[i].y : points[i].z;
  }
  template <class Box>
  bool kdtree_get_bbox(Box&) const {
    return false;
  }
};

}  // namespace graticule
