// OSV-5M's quadtree over (lat, lon): a box is split at its midpoint while it holds too many places.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "geo/cell_columns.h"

namespace graticule {
namespace {

// Deep enough for any box of doubles that still has a midpoint.
constexpr int kMaxDepth = 64;

// Where a side is divided. A side too short for a midpoint keeps all of its places in the upper half.
double SplitPoint(double low, double high) {
  const double mid = (low + high) / 2;
  return low < mid && mid < high ? mid : low;
}

int ChildOf(const Box& box, LatLon p) {
  return 2 * (p.lat_deg >= SplitPoint(box.min_lat, box.max_lat)) +
         (p.lon_deg >= SplitPoint(box.min_lon, box.max_lon));
}

Box ChildBox(const Box& box, int child) {
  const double lat = SplitPoint(box.min_lat, box.max_lat), lon = SplitPoint(box.min_lon, box.max_lon);
  Box part = box;
  (child & 2 ? part.min_lat : part.max_lat) = lat;
  (child & 1 ? part.min_lon : part.max_lon) = lon;
  return part;
}

Box BoundingBox(std::span<const Box> boxes) {
  Box all = boxes[0];
  for (const Box& b : boxes) {
    all = {std::min(all.min_lat, b.min_lat), std::min(all.min_lon, b.min_lon),
           std::max(all.max_lat, b.max_lat), std::max(all.max_lon, b.max_lon)};
  }
  return all;
}

class QuadtreeTable final : public BasicCellTable {
 public:
  // The tree is rebuilt from the boxes: each must be reached by halving the box of all, and none may lie
  // above another.
  explicit QuadtreeTable(CellColumns given)
      : BasicCellTable(std::move(given)), root_(BoundingBox(columns().boxes)), nodes_(1) {
    for (int64_t row = 0; row < size(); ++row) levels_.push_back(Insert(row));
  }

  std::optional<int64_t> CellOf(LatLon p) const override {
    if (!IsValid(p)) return std::nullopt;
    p = Normalised(p);
    if (p.lat_deg < root_.min_lat || p.lat_deg > root_.max_lat || p.lon_deg < root_.min_lon ||
        p.lon_deg > root_.max_lon) {
      return std::nullopt;
    }
    Box box = root_;
    for (int32_t node = 0; node >= 0;) {
      if (nodes_[node].row >= 0) return nodes_[node].row;
      const int child = ChildOf(box, p);
      box = ChildBox(box, child);
      node = nodes_[node].child[child];
    }
    return std::nullopt;
  }

  int Level(int64_t row) const override { return levels_[row]; }

  std::vector<Ring> Rings(int64_t row, int points_per_edge) const override {
    const Box& b = columns().boxes[row];
    const LatLon corners[4] = {
        {b.min_lat, b.min_lon}, {b.min_lat, b.max_lon}, {b.max_lat, b.max_lon}, {b.max_lat, b.min_lon}};
    Ring ring;
    for (int k = 0; k < 4; ++k) {
      const LatLon from = corners[k], to = corners[(k + 1) % 4];
      for (int i = 0; i < points_per_edge; ++i) {
        const double t = static_cast<double>(i) / points_per_edge;
        ring.push_back(
            {from.lat_deg + t * (to.lat_deg - from.lat_deg), from.lon_deg + t * (to.lon_deg - from.lon_deg)});
      }
    }
    return {ring};
  }

 private:
  struct Node {
    int32_t child[4] = {-1, -1, -1, -1};
    int64_t row = -1;  // a leaf when >= 0
  };

  int Insert(int64_t row) {
    const Box& target = columns().boxes[row];
    const LatLon middle{(target.min_lat + target.max_lat) / 2, (target.min_lon + target.max_lon) / 2};
    Box box = root_;
    int32_t node = 0;
    int depth = 0;
    for (; !(box == target); ++depth) {
      const int child = ChildOf(box, middle);
      box = ChildBox(box, child);
      if (depth == kMaxDepth || nodes_[node].row >= 0) Refuse(row);
      if (nodes_[node].child[child] < 0) {
        nodes_[node].child[child] = static_cast<int32_t>(nodes_.size());
        nodes_.emplace_back();
      }
      node = nodes_[node].child[child];
    }
    const auto& children = nodes_[node].child;
    if (nodes_[node].row >= 0 || std::any_of(children, children + 4, [](int32_t c) { return c >= 0; }))
      Refuse(row);
    nodes_[node].row = row;
    return depth;
  }

  [[noreturn]] void Refuse(int64_t row) const {
    const Box& b = columns().boxes[row];
    throw Error(
        ErrorCode::kData,
        fmt::format(
            "cell {} is the box lat {}..{}, lon {}..{}, which is no leaf of one quadtree with the others",
            row, b.min_lat, b.max_lat, b.min_lon, b.max_lon),
        columns().where, "Build the cells again with `cells build --kind quadtree`.");
  }

  Box root_;
  std::vector<Node> nodes_;
  std::vector<int> levels_;
};

void Split(std::span<LatLon> members, const Box& box, int depth_left, int64_t max_images, CellColumns& out) {
  if (members.empty()) return;
  if (depth_left == 0 || static_cast<int64_t>(members.size()) < max_images) {
    out.boxes.push_back(box);
    out.centres.push_back(MeanPlace(members));
    out.counts.push_back(static_cast<int64_t>(members.size()));
    out.parents.push_back(-1);
    return;
  }
  auto begin = members.begin();
  for (int child = 0; child < 4; ++child) {
    const auto end = std::partition(begin, members.end(), [&](LatLon p) { return ChildOf(box, p) == child; });
    Split({begin, end}, ChildBox(box, child), depth_left - 1, max_images, out);
    begin = end;
  }
}

}  // namespace

void SnapToHalvings(std::vector<Box>& boxes) {
  constexpr double kNearDeg = 1e-6;
  const auto near = [](const Box& a, const Box& b) {
    return std::abs(a.min_lat - b.min_lat) < kNearDeg && std::abs(a.min_lon - b.min_lon) < kNearDeg &&
           std::abs(a.max_lat - b.max_lat) < kNearDeg && std::abs(a.max_lon - b.max_lon) < kNearDeg;
  };
  const Box root = BoundingBox(boxes);
  for (Box& given : boxes) {
    const LatLon middle{(given.min_lat + given.max_lat) / 2, (given.min_lon + given.max_lon) / 2};
    Box box = root;
    for (int depth = 0; depth < kMaxDepth && !near(box, given); ++depth)
      box = ChildBox(box, ChildOf(box, middle));
    if (near(box, given)) given = box;
  }
}

std::shared_ptr<const CellTable> MakeQuadtreeTable(CellColumns columns) {
  for (size_t i = 0; i < columns.boxes.size(); ++i) {
    const Box& b = columns.boxes[i];
    if (IsValid({b.min_lat, b.min_lon}) && IsValid({b.max_lat, b.max_lon}) && b.min_lat <= b.max_lat &&
        b.min_lon <= b.max_lon)
      continue;
    throw Error(ErrorCode::kData,
                fmt::format("cell {} has the box lat {}..{}, lon {}..{}; expected degrees, minimum first", i,
                            b.min_lat, b.max_lat, b.min_lon, b.max_lon),
                columns.where);
  }
  return std::make_shared<QuadtreeTable>(std::move(columns));
}

std::shared_ptr<const CellTable> BuildQuadtreeCells(std::span<const LatLon> points,
                                                    const QuadtreeOptions& options,
                                                    const std::string& training_data_sha256) {
  if (options.max_images < 1 || options.depth < 0 || options.depth > 32) {
    throw Error(ErrorCode::kUsage,
                fmt::format("max_images {}, depth {}; expected max_images >= 1 and depth in 0..32",
                            options.max_images, options.depth),
                "quadtree cells");
  }
  std::vector<LatLon> places = UsablePlaces(points);
  if (places.empty()) {
    throw Error(ErrorCode::kData, fmt::format("none of {} records has coordinates", points.size()),
                "quadtree cells", "Check the data set and its split.");
  }
  Box root{places[0].lat_deg, places[0].lon_deg, places[0].lat_deg, places[0].lon_deg};
  for (LatLon p : places) {
    root = {std::min(root.min_lat, p.lat_deg), std::min(root.min_lon, p.lon_deg),
            std::max(root.max_lat, p.lat_deg), std::max(root.max_lon, p.lon_deg)};
  }
  CellColumns c;
  c.kind = "quadtree";
  c.options = fmt::format(R"({{"max_images": {}, "depth": {}}})", options.max_images, options.depth);
  c.training_data_sha256 = training_data_sha256;
  Split(places, root, options.depth, options.max_images, c);
  return MakeQuadtreeTable(std::move(c));
}

}  // namespace graticule
