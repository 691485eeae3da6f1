// Adaptive S2 cells: lookup by binary search over the disjoint id ranges, and the PlaNet builder.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "geo/cell_columns.h"
#include "geo/s2_tokens.h"

namespace graticule {
namespace {

class S2Table final : public BasicCellTable {
 public:
  explicit S2Table(CellColumns given) : BasicCellTable(std::move(given)), order_(columns().s2_ids.size()) {
    const std::vector<uint64_t>& ids = columns().s2_ids;
    std::iota(order_.begin(), order_.end(), 0);
    std::sort(order_.begin(), order_.end(), [&](int64_t a, int64_t b) { return ids[a] < ids[b]; });
    last_leaf_.reserve(ids.size());
    for (int64_t row : order_) last_leaf_.push_back(S2LastLeaf(ids[row]));
    for (size_t i = 1; i < order_.size(); ++i) {
      if (S2FirstLeaf(ids[order_[i]]) > S2LastLeaf(ids[order_[i - 1]])) continue;
      throw Error(ErrorCode::kData,
                  fmt::format("cells {} ({}) and {} ({}) overlap; cells must be disjoint", order_[i - 1],
                              S2Token(ids[order_[i - 1]]), order_[i], S2Token(ids[order_[i]])),
                  columns().where);
    }
  }

  std::optional<int64_t> CellOf(LatLon p) const override {
    if (!IsValid(p)) return std::nullopt;
    const uint64_t leaf = S2CellIdOf(Normalised(p));
    const auto first = std::lower_bound(last_leaf_.begin(), last_leaf_.end(), leaf);
    if (first == last_leaf_.end()) return std::nullopt;
    const int64_t row = order_[first - last_leaf_.begin()];
    if (leaf < S2FirstLeaf(columns().s2_ids[row])) return std::nullopt;
    return row;
  }

  int Level(int64_t row) const override { return S2Level(columns().s2_ids[row]); }

  std::vector<Ring> Rings(int64_t row, int points_per_edge) const override {
    const std::vector<LatLon> corners = S2Corners(columns().s2_ids[row]);
    Ring ring;
    for (int k = 0; k < 4; ++k) {
      const UnitVector a = ToUnitVector(corners[k]), b = ToUnitVector(corners[(k + 1) % 4]);
      for (int i = 0; i < points_per_edge; ++i) {  // the chord's points project onto the great circle
        const double t = static_cast<double>(i) / points_per_edge;
        ring.push_back(ToLatLon({a.x + t * (b.x - a.x), a.y + t * (b.y - a.y), a.z + t * (b.z - a.z)}));
      }
    }
    return {ring};
  }

 private:
  std::vector<int64_t> order_;       // rows by ascending id
  std::vector<uint64_t> last_leaf_;  // in that order, ascending because cells are disjoint
};

struct Leaf {
  uint64_t id;
  LatLon place;
};

// Cells of one table from leaves sorted by id: a cell with more than max_images is replaced by its children.
class Splitter {
 public:
  Splitter(const S2CellOptions& options, CellColumns& out) : options_(options), out_(out) {}

  void Visit(std::span<const Leaf> leaves, int level) {
    for (size_t begin = 0; begin < leaves.size();) {
      const uint64_t id = S2Parent(leaves[begin].id, level);
      const uint64_t last = S2LastLeaf(id);
      const auto end = std::partition_point(leaves.begin() + begin, leaves.end(),
                                            [&](const Leaf& leaf) { return leaf.id <= last; });
      const size_t count = (end - leaves.begin()) - begin;
      if (static_cast<int64_t>(count) > options_.max_images && level < options_.max_level) {
        Visit(leaves.subspan(begin, count), level + 1);
      } else if (static_cast<int64_t>(count) > options_.min_images) {
        Keep(id, leaves.subspan(begin, count));
      }
      begin += count;
    }
  }

 private:
  void Keep(uint64_t id, std::span<const Leaf> leaves) {
    std::vector<LatLon> members;
    members.reserve(leaves.size());
    for (const Leaf& leaf : leaves) members.push_back(leaf.place);
    out_.s2_ids.push_back(id);
    out_.centres.push_back(MeanPlace(members));
    out_.counts.push_back(static_cast<int64_t>(leaves.size()));
    out_.parents.push_back(-1);
  }

  const S2CellOptions& options_;
  CellColumns& out_;
};

void CheckOptions(const S2CellOptions& o) {
  if (o.min_images >= 0 && o.max_images >= 1 && o.min_level >= 0 && o.min_level <= o.max_level &&
      o.max_level <= kS2MaxLevel) {
    return;
  }
  throw Error(
      ErrorCode::kUsage,
      fmt::format(
          "min_images {}, max_images {}, levels {}..{}; expected min_images >= 0, max_images >= 1 and "
          "0 <= min_level <= max_level <= 30",
          o.min_images, o.max_images, o.min_level, o.max_level),
      "S2 cells");
}

std::vector<Leaf> SortedLeaves(std::span<const LatLon> points) {
  std::vector<Leaf> leaves;
  for (LatLon p : UsablePlaces(points)) leaves.push_back({S2CellIdOf(p), p});
  std::sort(leaves.begin(), leaves.end(), [](const Leaf& a, const Leaf& b) { return a.id < b.id; });
  return leaves;
}

CellColumns BuildColumns(std::span<const Leaf> leaves, const S2CellOptions& options,
                         const std::string& training_data_sha256) {
  CheckOptions(options);
  CellColumns c;
  c.kind = "s2";
  c.options = fmt::format(R"({{"min_images": {}, "max_images": {}, "min_level": {}, "max_level": {}}})",
                          options.min_images, options.max_images, options.min_level, options.max_level);
  c.training_data_sha256 = training_data_sha256;
  Splitter(options, c).Visit(leaves, options.min_level);
  if (c.centres.empty()) {
    throw Error(ErrorCode::kData,
                fmt::format("{} places, and no S2 cell holds more than {} of them", leaves.size(),
                            options.min_images),
                "S2 cells", "Lower min_images, or check that the training split has coordinates.");
  }
  return c;
}

}  // namespace

std::shared_ptr<const CellTable> MakeS2Table(CellColumns columns) {
  for (size_t i = 0; i < columns.s2_ids.size(); ++i) {
    if (S2IsValid(columns.s2_ids[i])) continue;
    throw Error(ErrorCode::kData,
                fmt::format("cell {} has the id {:#x}, which is no S2 cell", i, columns.s2_ids[i]),
                columns.where);
  }
  return std::make_shared<S2Table>(std::move(columns));
}

void LinkParents(CellColumns& columns, const CellTable& coarser) {
  for (size_t i = 0; i < columns.s2_ids.size(); ++i) {
    const uint64_t id = columns.s2_ids[i];
    const std::optional<int64_t> row = coarser.CellOf(S2Centre(id));
    const bool inside = row && S2FirstLeaf(coarser.s2_ids()[*row]) <= S2FirstLeaf(id) &&
                        S2LastLeaf(id) <= S2LastLeaf(coarser.s2_ids()[*row]);
    columns.parents[i] = inside ? *row : -1;
  }
}

std::shared_ptr<const CellTable> BuildS2Cells(std::span<const LatLon> points, const S2CellOptions& options,
                                              const std::string& training_data_sha256) {
  return MakeS2Table(BuildColumns(SortedLeaves(points), options, training_data_sha256));
}

std::vector<std::shared_ptr<const CellTable>> BuildNestedS2Cells(std::span<const LatLon> points,
                                                                 std::span<const int64_t> max_images,
                                                                 const S2CellOptions& options,
                                                                 const std::string& training_data_sha256) {
  const std::vector<Leaf> leaves = SortedLeaves(points);
  std::vector<std::shared_ptr<const CellTable>> tables;
  for (size_t i = 0; i < max_images.size(); ++i) {
    if (i > 0 && max_images[i] >= max_images[i - 1]) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("max_images {} after {}; expected falling values, coarse to fine",
                              max_images[i], max_images[i - 1]),
                  "S2 cells");
    }
    S2CellOptions own = options;
    own.max_images = max_images[i];
    CellColumns columns = BuildColumns(leaves, own, training_data_sha256);
    if (i > 0) LinkParents(columns, *tables.back());
    tables.push_back(MakeS2Table(std::move(columns)));
  }
  return tables;
}

}  // namespace graticule
