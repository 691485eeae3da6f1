// Cells with drawn borders (semantic geocells, administrative areas): a place belongs to the first row whose
// rings enclose it an odd number of times. Edges are straight in (lon, lat), as the files of such borders
// mean them. Of an edge the southern end counts and the northern does not, and of two neighbours the eastern
// one holds their common border, so cells that share borders leave neither gaps nor overlaps.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "geo/cell_columns.h"

namespace graticule {
namespace {

// The edges that reach into each of many bands of latitude, by row: a lookup walks one band.
class PolygonTable final : public BasicCellTable {
 public:
  explicit PolygonTable(CellColumns given) : BasicCellTable(std::move(given)) {
    CollectEdges();
    SortIntoBands();
  }

  std::optional<int64_t> CellOf(LatLon p) const override {
    if (!IsValid(p)) return std::nullopt;
    p = Normalised(p);
    const size_t band = BandOf(p.lat_deg);
    for (size_t g = band_begin_[band]; g < band_begin_[band + 1]; ++g) {
      const Run& run = runs_[g];
      if (p.lon_deg < run.min_lon || p.lon_deg >= run.max_lon) continue;
      bool inside = false;
      for (size_t i = run.begin; i < run.end; ++i) inside ^= IsWestOf(p, edges_[entries_[i]]);
      if (inside) return run.row;
    }
    return std::nullopt;
  }

  int Level(int64_t) const override { return 0; }

  std::vector<Ring> Rings(int64_t row, int) const override {
    const auto [first, last] =
        std::equal_range(columns().ring_cells.begin(), columns().ring_cells.end(), row);
    std::vector<Ring> rings;
    for (auto r = first - columns().ring_cells.begin(); r < last - columns().ring_cells.begin(); ++r)
      rings.push_back(RingAt(static_cast<size_t>(r)));
    return rings;
  }

 private:
  struct Edge {
    double south_lat, south_lon, north_lat, north_lon;
    int64_t row;
  };
  // The edges of one row in one band, and how far they reach.
  struct Run {
    int64_t row;
    size_t begin, end;
    double min_lon, max_lon;
  };

  Ring RingAt(size_t ring) const {
    const auto begin = columns().ring_points.begin();
    return {begin + (ring == 0 ? 0 : columns().ring_ends[ring - 1]), begin + columns().ring_ends[ring]};
  }

  static bool IsWestOf(LatLon p, const Edge& e) {
    if (p.lat_deg < e.south_lat || p.lat_deg >= e.north_lat) return false;
    const double t = (p.lat_deg - e.south_lat) / (e.north_lat - e.south_lat);
    return p.lon_deg < e.south_lon + t * (e.north_lon - e.south_lon);
  }

  size_t BandOf(double lat_deg) const {
    const size_t bands = band_begin_.size() - 1;
    return std::min(bands - 1, static_cast<size_t>((lat_deg + 90) / 180 * static_cast<double>(bands)));
  }

  void CollectEdges() {
    for (size_t r = 0; r < columns().ring_ends.size(); ++r) {
      const Ring ring = RingAt(r);
      for (size_t i = 0; i < ring.size(); ++i) {
        LatLon a = ring[i], b = ring[(i + 1) % ring.size()];
        if (a.lat_deg == b.lat_deg) continue;  // crosses no parallel
        if (a.lat_deg > b.lat_deg) std::swap(a, b);
        edges_.push_back({a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg, columns().ring_cells[r]});
      }
    }
  }

  void SortIntoBands() {
    // As many bands as keep the entries within five times the edges, however long those are.
    double degrees = 1;
    for (const Edge& e : edges_) degrees += e.north_lat - e.south_lat;
    const double bands = 4 * 180 * static_cast<double>(edges_.size()) / degrees;
    band_begin_.assign(static_cast<size_t>(std::clamp(bands, 1.0, 36'000.0)) + 1, 0);
    std::vector<size_t> next(band_begin_.size(), 0);
    for (const Edge& e : edges_)
      for (size_t b = BandOf(e.south_lat); b <= BandOf(e.north_lat); ++b) ++next[b + 1];
    for (size_t b = 1; b < next.size(); ++b) next[b] += next[b - 1];
    entries_.resize(next.back());
    std::vector<size_t> end(next.begin(), next.end() - 1);
    for (uint32_t i = 0; i < edges_.size(); ++i)
      for (size_t b = BandOf(edges_[i].south_lat); b <= BandOf(edges_[i].north_lat); ++b)
        entries_[end[b]++] = i;
    for (size_t b = 0; b + 1 < next.size(); ++b) {
      band_begin_[b] = runs_.size();
      AddRuns(next[b], next[b + 1]);
    }
    band_begin_.back() = runs_.size();
  }

  void AddRuns(size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const Edge& e = edges_[entries_[i]];
      if (i == begin || runs_.back().row != e.row) runs_.push_back({e.row, i, i, kFar, -kFar});
      Run& run = runs_.back();
      run.end = i + 1;
      run.min_lon = std::min({run.min_lon, e.south_lon, e.north_lon});
      run.max_lon = std::max({run.max_lon, e.south_lon, e.north_lon});
    }
  }

  static constexpr double kFar = std::numeric_limits<double>::infinity();
  std::vector<Edge> edges_;         // rows ascending
  std::vector<uint32_t> entries_;   // edges by band, rows ascending inside
  std::vector<Run> runs_;           // by band
  std::vector<size_t> band_begin_;  // into runs_, one more than there are bands
};

}  // namespace

std::shared_ptr<const CellTable> MakePolygonTable(CellColumns c) {
  const auto refuse = [&](const std::string& what) { throw Error(ErrorCode::kData, what, c.where); };
  const int64_t points = std::ssize(c.ring_points);
  if (points > std::numeric_limits<uint32_t>::max()) refuse("more than 2^32 border points");
  int64_t begin = 0, row = -1;
  for (size_t r = 0; r < c.ring_ends.size(); ++r) {
    if (c.ring_ends[r] < begin + 3 || c.ring_ends[r] > points)
      refuse(
          fmt::format("ring {} ends at point {}; expected {} to {}", r, c.ring_ends[r], begin + 3, points));
    if (c.ring_cells[r] != row && c.ring_cells[r] != row + 1)
      refuse(fmt::format("ring {} belongs to cell {}; expected {} or {}", r, c.ring_cells[r], row, row + 1));
    begin = c.ring_ends[r];
    row = c.ring_cells[r];
  }
  if (begin != points || row + 1 != std::ssize(c.centres))
    refuse(fmt::format("rings hold {} of {} points and end with cell {} of {}", begin, points, row,
                       c.centres.size()));
  for (int64_t i = 0; i < points; ++i) {
    const LatLon p = c.ring_points[i];
    if (!(p.lat_deg >= -90 && p.lat_deg <= 90 && p.lon_deg >= -180 && p.lon_deg <= 180))
      refuse(fmt::format("border point {} is ({}, {}); expected degrees", i, p.lat_deg, p.lon_deg));
  }
  return std::make_shared<PolygonTable>(std::move(c));
}

}  // namespace graticule
