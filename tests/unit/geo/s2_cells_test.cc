#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>

#include "base/error.h"
#include "geo/cell_table.h"
#include "geo/s2_tokens.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

// The published procedure, round by round over a map of counts, without sorting or ranges.
std::map<uint64_t, int64_t> CountRoundByRound(const std::vector<LatLon>& points, const S2CellOptions& o) {
  auto count_at = [&](int level) {
    std::map<uint64_t, int64_t> counts;
    for (LatLon p : points) ++counts[S2CellIdOf(Normalised(p), level)];
    return counts;
  };
  auto drop_small = [&](std::map<uint64_t, int64_t>& counts) {
    std::erase_if(counts, [&](const auto& cell) { return cell.second <= o.min_images; });
  };
  std::map<uint64_t, int64_t> cells = count_at(o.min_level);
  drop_small(cells);
  for (int level = o.min_level; level < o.max_level; ++level) {
    const std::map<uint64_t, int64_t> finer = count_at(level + 1);
    std::map<uint64_t, int64_t> next;
    for (const auto& [id, count] : cells) {
      if (count <= o.max_images || S2Level(id) != level) {
        next[id] = count;
        continue;
      }
      for (int k = 0; k < 4; ++k) {
        const auto child = finer.find(S2Child(id, k));
        if (child != finer.end()) next[child->first] = child->second;
      }
    }
    cells = next;
  }
  drop_small(cells);
  return cells;
}

// Containment through ancestors, the definition of an S2 cell.
std::optional<int64_t> CellByAncestors(const CellTable& table, LatLon p) {
  const uint64_t leaf = S2CellIdOf(Normalised(p));
  for (int64_t row = 0; row < table.size(); ++row) {
    if (S2Parent(leaf, table.Level(row)) == table.s2_ids()[row]) return row;
  }
  return std::nullopt;
}

TEST(S2Cells, AgreeWithTheProcedureRoundByRound) {
  const std::vector<LatLon> points = PhotoPlaces(20'000, 21);
  for (const S2CellOptions& options :
       {S2CellOptions{.min_images = 10, .max_images = 300}, S2CellOptions{.min_images = 0, .max_images = 50},
        S2CellOptions{.min_images = 30, .max_images = 100, .min_level = 0, .max_level = 6}}) {
    const auto table = BuildS2Cells(points, options);
    std::map<uint64_t, int64_t> built;
    for (int64_t row = 0; row < table->size(); ++row) built[table->s2_ids()[row]] = table->counts()[row];
    EXPECT_EQ(built, CountRoundByRound(points, options));
    EXPECT_TRUE(std::is_sorted(table->s2_ids().begin(), table->s2_ids().end()));
  }
}

TEST(S2Cells, ContainEachPlaceInAtMostOneCell) {
  const auto table = BuildS2Cells(PhotoPlaces(20'000, 22), {.min_images = 20, .max_images = 300});
  int64_t outside = 0;
  for (LatLon p : TestPlaces(10'000, 23)) {
    const auto cell = table->CellOf(p);
    ASSERT_EQ(cell, CellByAncestors(*table, p)) << p.lat_deg << ", " << p.lon_deg;
    outside += !cell;
  }
  EXPECT_GT(outside, 0);  // the test would prove little if every place were covered, or none
  EXPECT_LT(outside, 9'000);
}

TEST(S2Cells, CentreIsTheMeanDirectionOfMembersAndLiesInItsCell) {
  const std::vector<LatLon> points = PhotoPlaces(20'000, 24);
  const auto table = BuildS2Cells(points, {.min_images = 20, .max_images = 300});
  std::vector<UnitVector> sums(table->size());
  std::vector<int64_t> counts(table->size());
  for (LatLon p : points) {
    const auto cell = table->CellOf(p);
    if (!cell) continue;
    const UnitVector v = ToUnitVector(p);
    sums[*cell] = {sums[*cell].x + v.x, sums[*cell].y + v.y, sums[*cell].z + v.z};
    ++counts[*cell];
  }
  EXPECT_EQ(counts, table->counts());
  for (int64_t row = 0; row < table->size(); ++row) {
    EXPECT_LT(HaversineKm(table->centres()[row], ToLatLon(sums[row])), 1e-6);
    EXPECT_EQ(table->CellOf(table->centres()[row]), row);
  }
}

TEST(S2Cells, NearestCellIsTheOneWithTheNearestCentre) {
  const auto table = BuildS2Cells(PhotoPlaces(20'000, 25), {.min_images = 20, .max_images = 300});
  for (LatLon p : TestPlaces(10'000, 26)) {
    double best = std::numeric_limits<double>::infinity();
    for (LatLon centre : table->centres()) best = std::min(best, HaversineKm(p, centre));
    const int64_t nearest = table->NearestCell(p);
    ASSERT_GE(nearest, 0);
    ASSERT_NEAR(HaversineKm(p, table->centres()[nearest]), best, 1e-6);
  }
}

TEST(S2Cells, DoNotDependOnTheOrderOfPointsOrOnUnknownPlaces) {
  std::vector<LatLon> points = PhotoPlaces(8'000, 27);
  const auto table = BuildS2Cells(points, {.min_images = 10, .max_images = 100}, "data");
  std::mt19937_64 random(28);
  std::shuffle(points.begin(), points.end(), random);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  points.insert(points.begin() + 100, {LatLon{nan, nan}, LatLon{91, 0}, LatLon{0, 361}});
  EXPECT_EQ(BuildS2Cells(points, {.min_images = 10, .max_images = 100}, "data")->Sha256(), table->Sha256());
}

TEST(S2Cells, NestEachFinerCellInExactlyOneParent) {
  const std::vector<LatLon> points = PhotoPlaces(20'000, 29);
  const std::vector<int64_t> steps{1000, 300, 80};
  const auto tables = BuildNestedS2Cells(points, steps, {.min_images = 20});
  ASSERT_EQ(tables.size(), 3u);
  for (int64_t parent : tables[0]->parents()) EXPECT_EQ(parent, -1);
  for (size_t t = 1; t < 3; ++t) {
    const CellTable &fine = *tables[t], &coarse = *tables[t - 1];
    EXPECT_GT(fine.size(), coarse.size());
    EXPECT_EQ(fine.s2_ids(), BuildS2Cells(points, {.min_images = 20, .max_images = steps[t]})->s2_ids());
    for (int64_t row = 0; row < fine.size(); ++row) {
      std::vector<int64_t> ancestors;
      for (int64_t k = 0; k < coarse.size(); ++k) {
        const int level = coarse.Level(k);
        if (level <= fine.Level(row) && S2Parent(fine.s2_ids()[row], level) == coarse.s2_ids()[k])
          ancestors.push_back(k);
      }
      ASSERT_EQ(ancestors, std::vector<int64_t>{fine.parents()[row]});
    }
  }
  EXPECT_THROW(BuildNestedS2Cells(points, std::vector<int64_t>{80, 300}, {.min_images = 20}), Error);
}

TEST(S2Cells, AreRefusedForImpossibleOptionsAndWhenNoneIsLeft) {
  const std::vector<LatLon> points = RandomPlaces(100, 30);
  auto code_of = [&](const S2CellOptions& options) {
    try {
      BuildS2Cells(points, options);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kBug;
  };
  EXPECT_EQ(code_of({.min_images = 100}), ErrorCode::kData);
  EXPECT_EQ(code_of({.min_images = -1}), ErrorCode::kUsage);
  EXPECT_EQ(code_of({.max_images = 0}), ErrorCode::kUsage);
  EXPECT_EQ(code_of({.min_level = 5, .max_level = 4}), ErrorCode::kUsage);
  EXPECT_EQ(code_of({.max_level = 31}), ErrorCode::kUsage);
}

TEST(S2Cells, StopAtLeavesWhenAllPlacesAreTheSame) {
  const std::vector<LatLon> points(500, LatLon{48.8584, 2.2945});
  const auto table = BuildS2Cells(points, {.min_images = 50, .max_images = 100});
  ASSERT_EQ(table->size(), 1);
  EXPECT_EQ(S2Token(table->s2_ids()[0]), "47e66fe1f36a36a5");
  EXPECT_EQ(table->CellOf({48.8584, 2.2945}), 0);
}

TEST(S2Cells, OutlineFollowsTheCellsEdges) {
  const auto table = BuildS2Cells(RandomPlaces(1'000, 31), {.min_images = 0, .max_images = 1'000});
  for (int64_t row = 0; row < table->size(); ++row) {
    const Ring ring = table->Rings(row, 8)[0];
    ASSERT_EQ(ring.size(), 32u);
    const LatLon middle = S2Centre(table->s2_ids()[row]);
    for (LatLon p : ring) {  // a little inside belongs to the cell, a little outside does not
      const UnitVector m = ToUnitVector(middle), v = ToUnitVector(p);
      auto toward = [&](double t) {
        return ToLatLon({v.x + t * (m.x - v.x), v.y + t * (m.y - v.y), v.z + t * (m.z - v.z)});
      };
      EXPECT_EQ(S2CellIdOf(toward(1e-6), table->Level(row)), table->s2_ids()[row]);
      EXPECT_NE(S2CellIdOf(toward(-1e-6), table->Level(row)), table->s2_ids()[row]);
    }
  }
}

}  // namespace
}  // namespace graticule
