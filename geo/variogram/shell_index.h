// Places between two distances of a given one: how many there are, and the k-th of them, without listing
// them.
//
// A k-d tree over the unit sphere whose nodes know their box and their stretch of one array: a node that lies
// inside the shell is counted whole, so that a shell with half of all places costs its border only. (A tree
// that reports neighbours one by one, as nanoflann's, takes time in proportion to them.) Immutable once
// built; a Shell is one thread's own. Chords of the unit sphere, squared.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

class ShellIndex {
 public:
  // points must stay alive.
  explicit ShellIndex(std::span<const UnitVector> points);

  // The places p with low < |p - centre|^2 <= high. Valid until the next Find into it.
  class Shell {
   public:
    int64_t size() const { return size_; }
    uint32_t at(int64_t k) const;  // in an order of the tree's; 0 <= k < size()

   private:
    friend class ShellIndex;
    const ShellIndex* index_ = nullptr;
    int64_t size_ = 0;
    std::vector<std::pair<uint32_t, uint32_t>> stretches_;  // [begin, end) of order_
  };
  void Find(const UnitVector& centre, double low, double high, Shell& shell) const;

 private:
  struct Node {
    double low[3], high[3];        // box
    uint32_t begin = 0, end = 0;   // of order_
    uint32_t left = 0, right = 0;  // children; 0: a leaf
  };
  uint32_t Build(uint32_t begin, uint32_t end);
  void Visit(uint32_t node, const double (&centre)[3], double low, double high, Shell& shell) const;

  std::span<const UnitVector> points_;
  std::vector<uint32_t> order_;
  std::vector<UnitVector> ordered_;  // points_ by order_, so that a leaf is one stretch of memory
  std::vector<Node> nodes_;
};

}  // namespace graticule
