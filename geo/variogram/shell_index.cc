#include "geo/variogram/shell_index.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace graticule {
namespace {

constexpr uint32_t kLeaf = 16;

double Axis(const UnitVector& v, int axis) { return axis == 0 ? v.x : axis == 1 ? v.y : v.z; }

}  // namespace

ShellIndex::ShellIndex(std::span<const UnitVector> points) : points_(points), order_(points.size()) {
  GRATICULE_CHECK(points.size() < std::numeric_limits<uint32_t>::max());
  std::iota(order_.begin(), order_.end(), 0u);
  nodes_.reserve(2 * points.size() / kLeaf + 2);
  if (!points.empty()) Build(0, static_cast<uint32_t>(points.size()));
  ordered_.reserve(points.size());
  for (const uint32_t i : order_) ordered_.push_back(points[i]);
}

uint32_t ShellIndex::Build(uint32_t begin, uint32_t end) {
  const auto at = static_cast<uint32_t>(nodes_.size());
  Node node{.begin = begin, .end = end};
  int widest = 0;
  for (int axis = 0; axis < 3; ++axis) {
    node.low[axis] = 4;
    node.high[axis] = -4;
    for (uint32_t i = begin; i < end; ++i) {
      const double x = Axis(points_[order_[i]], axis);
      node.low[axis] = std::min(node.low[axis], x);
      node.high[axis] = std::max(node.high[axis], x);
    }
    if (node.high[axis] - node.low[axis] > node.high[widest] - node.low[widest]) widest = axis;
  }
  nodes_.push_back(node);
  // A stretch of one place only, however long, needs no division.
  if (end - begin <= kLeaf || node.high[widest] == node.low[widest]) return at;
  const uint32_t middle = begin + (end - begin) / 2;
  std::nth_element(order_.begin() + begin, order_.begin() + middle, order_.begin() + end,
                   [&](uint32_t a, uint32_t b) {
                     const double xa = Axis(points_[a], widest), xb = Axis(points_[b], widest);
                     return xa != xb ? xa < xb : a < b;
                   });
  const uint32_t left = Build(begin, middle), right = Build(middle, end);
  nodes_[at].left = left;
  nodes_[at].right = right;
  return at;
}

void ShellIndex::Find(const UnitVector& centre, double low, double high, Shell& shell) const {
  shell.index_ = this;
  shell.size_ = 0;
  shell.stretches_.clear();
  const double at[3] = {centre.x, centre.y, centre.z};
  if (!nodes_.empty()) Visit(0, at, low, high, shell);
}

void ShellIndex::Visit(uint32_t number, const double (&centre)[3], double low, double high,
                       Shell& shell) const {
  const Node& node = nodes_[number];
  double nearest = 0, farthest = 0;
  for (int axis = 0; axis < 3; ++axis) {
    const double below = node.low[axis] - centre[axis], above = centre[axis] - node.high[axis];
    const double gap = std::max({below, above, 0.0}), reach = std::max(-below, -above);
    nearest += gap * gap;
    farthest += reach * reach;
  }
  if (nearest > high || farthest <= low) return;
  const auto add = [&](uint32_t begin, uint32_t end) {
    shell.stretches_.emplace_back(begin, end);
    shell.size_ += end - begin;
  };
  if (nearest > low && farthest <= high) return add(node.begin, node.end);
  if (node.left != 0) {
    Visit(node.left, centre, low, high, shell);
    Visit(node.right, centre, low, high, shell);
    return;
  }
  for (uint32_t i = node.begin; i < node.end; ++i) {
    const UnitVector& p = ordered_[i];
    const double x = p.x - centre[0], y = p.y - centre[1], z = p.z - centre[2];
    const double squared = x * x + y * y + z * z;
    if (squared > low && squared <= high) add(i, i + 1);
  }
}

uint32_t ShellIndex::Shell::at(int64_t k) const {
  for (const auto& [begin, end] : stretches_) {
    if (k < end - begin) return index_->order_[begin + static_cast<uint32_t>(k)];
    k -= end - begin;
  }
  GRATICULE_CHECK(false, "k is beyond the shell");
  return 0;
}

}  // namespace graticule
