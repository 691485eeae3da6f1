#include "geo/place_index.h"

#include <limits>
#include <nanoflann.hpp>
#include <vector>

#include "geo/unit_cloud.h"

namespace graticule {
namespace {

// The library skips candidates that are as far as the worst kept one. Reporting a bound one ulp larger lets
// ties through, so that the smallest index can be chosen whatever the shape of the tree.
class SmallestIndexOfNearest {
 public:
  using DistanceType = double;
  bool addPoint(double squared, uint32_t index) {
    if (squared < squared_ || (squared == squared_ && index < index_)) {
      squared_ = squared;
      index_ = index;
    }
    return true;
  }
  bool full() const { return index_ != kNone; }
  double worstDist() const { return std::nextafter(squared_, std::numeric_limits<double>::infinity()); }
  int64_t index() const { return index_ == kNone ? -1 : static_cast<int64_t>(index_); }

 private:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
  double squared_ = std::numeric_limits<double>::max();
  uint32_t index_ = kNone;
};

using KdTree = nanoflann::KDTreeSingleIndexAdaptor<nanoflann::L2_Simple_Adaptor<double, UnitCloud>, UnitCloud,
                                                   3, uint32_t>;

}  // namespace

struct PlaceIndex::Tree {
  UnitCloud cloud;
  std::unique_ptr<KdTree> tree;
};

PlaceIndex::PlaceIndex(std::span<const LatLon> places) : tree_(std::make_unique<Tree>()) {
  tree_->cloud.points.reserve(places.size());
  for (LatLon p : places) tree_->cloud.points.push_back(ToUnitVector(p));
  if (!places.empty())
    tree_->tree = std::make_unique<KdTree>(3, tree_->cloud, nanoflann::KDTreeSingleIndexAdaptorParams(8));
}
PlaceIndex::~PlaceIndex() = default;
PlaceIndex::PlaceIndex(PlaceIndex&&) noexcept = default;
PlaceIndex& PlaceIndex::operator=(PlaceIndex&&) noexcept = default;

int64_t PlaceIndex::size() const { return static_cast<int64_t>(tree_->cloud.points.size()); }

int64_t PlaceIndex::Nearest(LatLon p) const {
  const UnitVector v = ToUnitVector(p);
  if (!tree_->tree || !std::isfinite(v.x + v.y + v.z)) return -1;
  const double query[3] = {v.x, v.y, v.z};
  SmallestIndexOfNearest nearest;
  tree_->tree->findNeighbors(nearest, query, nanoflann::SearchParams());
  return nearest.index();
}

}  // namespace graticule
