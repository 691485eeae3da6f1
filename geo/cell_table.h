// Geocells: a finite set of regions that become the classes of a geocell head.
//
// Invariant: cells are disjoint and row = class. They need not cover the globe: CellOf gives no answer
// outside (the label is masked), NearestCell always answers (evaluation only). File: cells.safetensors
// (docs/CELLS.md): `centre_latlon` f64 [K,2], `count` i64 [K], `parent` i64 [K] (-1 none), and what the kind
// needs: `s2_id` u64 [K]; `box` f64 [K,4] (min_lat, min_lon, max_lat, max_lon); or the rings of polygons,
// `ring_latlon` f64 [P,2], `ring_end` i64 [R], `ring_cell` i64 [R]. Metadata {kind, options,
// training_data_sha256, version}. Degrees. Polygons that overlap are cut by order: the first row has the
// place. Immutable after loading; lookups are thread-safe. Fails with Error(kData) naming file and row when a
// file breaks the invariant, and when no cell is left to build.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "geo/latlon.h"
#include "geo/wkt.h"

namespace graticule {

class CellTable {
 public:
  virtual ~CellTable() = default;

  static std::shared_ptr<const CellTable> Load(const std::string& path);
  // The same from a file's bytes; name stands for it in messages.
  static std::shared_ptr<const CellTable> Parse(std::string bytes, const std::string& name);
  virtual void Save(const std::string& path) const = 0;  // a loaded table is written back byte for byte

  virtual int64_t size() const = 0;
  virtual const std::string& kind() const = 0;     // "s2", "quadtree" or "polygon"
  virtual const std::string& options() const = 0;  // the builder's options as a JSON object
  virtual const std::string& training_data_sha256() const = 0;
  virtual const std::vector<LatLon>& centres() const = 0;     // mean of member unit vectors, [K]
  virtual const std::vector<int64_t>& counts() const = 0;     // training images per cell, [K]
  virtual const std::vector<int64_t>& parents() const = 0;    // row in the next coarser table or -1, [K]
  virtual std::optional<int64_t> CellOf(LatLon p) const = 0;  // containing cell; none for an invalid p
  virtual int64_t NearestCell(LatLon p) const = 0;  // cell with the nearest centre, total for valid p
  virtual int Level(int64_t row) const = 0;         // S2 level or depth in the quadtree; 0 for a polygon
  // Borders, drawn by the even-odd rule; the sides of S2 cells and boxes get points_per_edge points.
  virtual std::vector<Ring> Rings(int64_t row, int points_per_edge = 1) const = 0;
  virtual const std::vector<uint64_t>& s2_ids() const = 0;  // [K]; empty unless kind() == "s2"
  virtual std::string Sha256() const = 0;                   // of the saved file's bytes
};

struct S2CellOptions {
  int64_t min_images = 50, max_images = 2000;  // a cell is kept when min < count, split when count > max
  int min_level = 2, max_level = 30;
};
struct QuadtreeOptions {
  int64_t max_images = 1000;  // a box is split when count >= max
  int depth = 10;
};

// Builders are deterministic in the multiset of points; points that are not IsValid are left out.

// PlaNet-style adaptive S2 cells (Weyand et al. 2016), in the order of their ids.
std::shared_ptr<const CellTable> BuildS2Cells(std::span<const LatLon> points, const S2CellOptions& options,
                                              const std::string& training_data_sha256 = "");
// One table per entry of max_images (falling: coarse, middle, fine). Every cell lies in exactly one cell of
// the table before it, its parent.
std::vector<std::shared_ptr<const CellTable>> BuildNestedS2Cells(
    std::span<const LatLon> points, std::span<const int64_t> max_images, const S2CellOptions& options,
    const std::string& training_data_sha256 = "");
// OSV-5M's quadtree, leaves in depth-first order.
std::shared_ptr<const CellTable> BuildQuadtreeCells(std::span<const LatLon> points,
                                                    const QuadtreeOptions& options,
                                                    const std::string& training_data_sha256 = "");

// The CSV forms of the originals, told apart by their header (docs/CELLS.md): S2 cells as the ISN partitions
// have them, boxes as OSV-5M, polygons as PIGEON. Import checks classes, shapes and disjointness, and links
// parents of S2 cells when a coarser table is given. Export writes the form of the table's kind.
std::shared_ptr<const CellTable> ImportCellCsv(const std::string& path, const CellTable* coarser = nullptr);
std::shared_ptr<const CellTable> ParseCellCsv(std::string_view text, const std::string& name,
                                              const CellTable* coarser = nullptr);
void ExportCellCsv(const CellTable& table, const std::string& path);

}  // namespace graticule
