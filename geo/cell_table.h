// Geocells: a finite set of regions that become the classes of a geocell head.
//
// Invariant: cells are disjoint and row = class. They need not cover the globe: CellOf gives no answer outside
// (the label is masked), NearestCell always answers (evaluation only).
// File: cells.safetensors (CONTRACTS 3): `centre_latlon` f64 [K,2], `count` i64 [K], `parent` i64 [K] (-1 none), and one
// of `s2_id` u64 [K], `box` f64 [K,4] (min_lat, min_lon, max_lat, max_lon); metadata {kind, options, training_data_sha256, version}.
// Immutable after loading; lookups are thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

class CellTable {
 public:
  virtual ~CellTable() = default;

  static std::shared_ptr<const CellTable> Load(const std::string& path);
  void Save(const std::string& path) const;

  virtual int64_t size() const = 0;
  virtual const std::string& kind() const = 0;                 // "s2" or "quadtree"
  virtual const std::vector<LatLon>& centres() const = 0;      // mean of member unit vectors, [K]
  virtual const std::vector<int64_t>& counts() const = 0;      // training images per cell, [K]
  virtual std::optional<int64_t> CellOf(LatLon p) const = 0;   // containing cell
  virtual int64_t NearestCell(LatLon p) const = 0;             // cell with the nearest centre, total
  virtual std::string Sha256() const = 0;                      // of the saved file's bytes
};

struct S2CellOptions { int64_t min_images = 50, max_images = 2000; int min_level = 2, max_level = 30; };
struct QuadtreeOptions { int64_t max_images = 1000; int depth = 10; };

// PlaNet-style adaptive S2 cells (specs/g3-and-mp16pro section 7). Deterministic in the multiset of points.
std::shared_ptr<const CellTable> BuildS2Cells(std::span<const LatLon> points, const S2CellOptions& options,
                                              const std::string& training_data_sha256 = "");
// OSV-5M's quadtree (specs/datasets 2.3).
std::shared_ptr<const CellTable> BuildQuadtreeCells(std::span<const LatLon> points, const QuadtreeOptions& options,
                                                    const std::string& training_data_sha256 = "");

}  // namespace graticule
