// The common half of all geocell tables, private to geo: columns, their file, and the nearest centre.
//
// A builder or reader fills CellColumns and hands it to a Make function of its kind, which checks the
// invariant (disjoint cells) and builds the lookup. The file's bytes are kept (48 B per cell), so that Save
// and Sha256 mean the same file. Not thread-safe while being built.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "geo/cell_table.h"
#include "geo/place_index.h"

namespace graticule {

struct Box {
  double min_lat = 0, min_lon = 0, max_lat = 0, max_lon = 0;
  bool operator==(const Box&) const = default;
};

struct CellColumns {
  std::string kind, options, training_data_sha256;
  std::vector<LatLon> centres;
  std::vector<int64_t> counts, parents;
  std::vector<uint64_t> s2_ids;  // one of the three, by kind
  std::vector<Box> boxes;
  std::vector<LatLon> ring_points;             // of all rings, one after the other, each open
  std::vector<int64_t> ring_ends, ring_cells;  // per ring: one past its last point, its row (ascending)
  std::string where;                           // file name for messages; empty when built
  std::string file_bytes;                      // filled by Serialise when empty
};

// Everything but the lookup of the containing cell.
class BasicCellTable : public CellTable {
 public:
  explicit BasicCellTable(CellColumns columns);
  void Save(const std::string& path) const override;
  int64_t size() const override { return static_cast<int64_t>(columns_.centres.size()); }
  const std::string& kind() const override { return columns_.kind; }
  const std::string& options() const override { return columns_.options; }
  const std::string& training_data_sha256() const override { return columns_.training_data_sha256; }
  const std::vector<LatLon>& centres() const override { return columns_.centres; }
  const std::vector<int64_t>& counts() const override { return columns_.counts; }
  const std::vector<int64_t>& parents() const override { return columns_.parents; }
  const std::vector<uint64_t>& s2_ids() const override { return columns_.s2_ids; }
  int64_t NearestCell(LatLon p) const override { return index_.Nearest(p); }
  std::string Sha256() const override { return sha256_; }

 protected:
  const CellColumns& columns() const { return columns_; }

 private:
  CellColumns columns_;
  PlaceIndex index_;
  std::string sha256_;
};

std::shared_ptr<const CellTable> MakeS2Table(CellColumns columns);
std::shared_ptr<const CellTable> MakeQuadtreeTable(CellColumns columns);
std::shared_ptr<const CellTable> MakePolygonTable(CellColumns columns);

// Fills columns.parents with the rows of `coarser` that contain each cell, -1 where none does.
void LinkParents(CellColumns& columns, const CellTable& coarser);

// Moves boxes of a table that others computed or rounded onto the exact halvings of their bounding box, where
// they are within a millionth of a degree of one.
void SnapToHalvings(std::vector<Box>& boxes);

// Direction of the sum of unit vectors, added in sorted order so that the order of input cannot matter.
LatLon MeanPlace(std::span<const LatLon> members);

// The places a builder may use: valid ones, longitude wrapped.
std::vector<LatLon> UsablePlaces(std::span<const LatLon> points);

}  // namespace graticule
