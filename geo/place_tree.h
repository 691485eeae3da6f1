// Places in the order of the S2 curve under a tree of S2 cells that knows how many places each cell holds:
// for questions about rings (all places between two distances of a point) where most cells need not be
// opened.
//
// A node's bound is a ball around its places, so poles and the antimeridian are ordinary. A ring is answered
// by runs of slots (positions on the curve): runs that lie in the ring for certain, and runs that may
// straddle its edge and whose places the caller measures. Owns copies; about 30 bytes per place. Immutable
// after construction; thread-safe with a RingCover per thread. Every place must be valid, fewer than 2^32 of
// them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

// Where the places of a ring are; reused from query to query.
class RingCover {
 public:
  // Slots in all runs: at least as many as the ring has places.
  int64_t size() const { return ends_.empty() ? 0 : ends_.back(); }
  uint32_t At(int64_t i) const;  // the slot; i in [0, size())

 private:
  friend class PlaceTree;
  void Clear();
  void Add(uint32_t begin, uint32_t end);
  std::vector<uint32_t> begins_;  // of the runs
  std::vector<int64_t> ends_;     // slots up to and with each run
  std::vector<uint32_t> open_, next_;
};

class PlaceTree {
 public:
  // rows: [places] what the caller calls each of them.
  PlaceTree(std::span<const LatLon> places, std::span<const int64_t> rows);

  int64_t size() const { return std::ssize(entries_); }
  LatLon place(uint32_t slot) const { return entries_[slot].place; }
  int64_t row(uint32_t slot) const { return entries_[slot].row; }
  // Begins to bring a slot into the CPU's caches.
  void Prefetch(uint32_t slot) const { __builtin_prefetch(&entries_[slot]); }

  // Covers the places p with low_km < distance <= high_km (infinity: to the antipode) on a sphere of
  // 6371.0 km, and few others: cells are opened until half of the cover is certain to lie in the ring, or
  // nothing is left to open.
  void Cover(LatLon centre, double low_km, double high_km, RingCover& cover) const;

 private:
  struct Node {
    UnitVector centre;  // mean of the places
    double radius;      // of the ball around it, as a chord
    uint32_t begin, end;
    uint32_t first_child;
    uint8_t children;  // 0: a leaf
    uint8_t level;     // S2 level of the cells it is divided into
  };
  Node MakeNode(std::span<const UnitVector> points, uint32_t begin, uint32_t end) const;

  struct Entry {
    LatLon place;
    int64_t row;
  };
  std::vector<Entry> entries_;  // by slot
  std::vector<Node> nodes_;     // the root first, children side by side
};

}  // namespace graticule
