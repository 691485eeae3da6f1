#include "geo/place_index.h"

#include <algorithm>
#include <limits>
#include <nanoflann.hpp>
#include <utility>
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

// The same for several: the kept ones ascend by (distance, index).
class SmallestIndicesOfNearest {
 public:
  using DistanceType = double;
  explicit SmallestIndicesOfNearest(size_t k) : k_(k) {}
  bool addPoint(double squared, uint32_t index) {
    const std::pair<double, uint32_t> found{squared, index};
    if (full() && !(found < kept_.back())) return true;
    if (full()) kept_.pop_back();
    kept_.insert(std::upper_bound(kept_.begin(), kept_.end(), found), found);
    return true;
  }
  bool full() const { return kept_.size() == k_; }
  double worstDist() const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return full() ? std::nextafter(kept_.back().first, kInfinity) : kInfinity;
  }
  std::vector<int64_t> indices() const {
    std::vector<int64_t> indices;
    for (const auto& [squared, index] : kept_) indices.push_back(index);
    return indices;
  }

 private:
  size_t k_;
  std::vector<std::pair<double, uint32_t>> kept_;
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

std::vector<int64_t> PlaceIndex::Nearest(LatLon p, int64_t k) const {
  const UnitVector v = ToUnitVector(p);
  if (!tree_->tree || k <= 0 || !std::isfinite(v.x + v.y + v.z)) return {};
  const double query[3] = {v.x, v.y, v.z};
  SmallestIndicesOfNearest nearest(static_cast<size_t>(k));
  tree_->tree->findNeighbors(nearest, query, nanoflann::SearchParams());
  return nearest.indices();
}

}  // namespace graticule
