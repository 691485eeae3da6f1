#include "trainer/order/similarity_lists.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "base/error.h"
#include "geo/place_neighbours.h"

namespace graticule {
namespace {

// Rows of small whole numbers: every product is exact in fp32, whatever the order of its sum.
at::Tensor WholeRows(int64_t n, int64_t d, uint64_t seed) {
  std::mt19937_64 random(seed);
  at::Tensor rows = at::empty({n, d}, at::kFloat);
  for (int64_t i = 0; i < n * d; ++i)
    rows.mutable_data_ptr<float>()[i] = static_cast<float>(static_cast<int>(random() % 401) - 200);
  return rows;
}

std::vector<int64_t> UpTo(int64_t n) {
  std::vector<int64_t> records(static_cast<size_t>(n));
  std::iota(records.begin(), records.end(), 0);
  return records;
}

std::vector<LatLon> Towns(int64_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  const LatLon towns[] = {{48.8, 2.3}, {-17, 179.99}, {89.9, 0}, {0, -179.95}};
  std::vector<LatLon> places;
  for (int64_t i = 0; i < n; ++i) {
    const LatLon town = towns[i % 4];
    places.push_back(Normalised(
        {std::min(90.0, town.lat_deg + 0.3 * normal(random)), town.lon_deg + 0.3 * normal(random)}));
  }
  places[5] = {std::numeric_limits<double>::quiet_NaN(), 0};
  return places;
}

TEST(TopSimilar, EqualsAnExhaustiveSearch) {
  constexpr int64_t kN = 230, kD = 7;
  const at::Tensor images = WholeRows(kN, kD, 1), others = WholeRows(kN, kD, 2);
  const std::vector<LatLon> places = Towns(kN, 3);
  const auto product = [&](int64_t i, int64_t j) {
    int64_t sum = 0;
    for (int64_t d = 0; d < kD; ++d)
      sum += static_cast<int64_t>(images.const_data_ptr<float>()[i * kD + d]) *
             static_cast<int64_t>(others.const_data_ptr<float>()[j * kD + d]);
    return sum;
  };
  struct Case {
    int64_t k;
    double min_km;
    int64_t chunk, tile;
  };
  for (const Case& c : {Case{12, 25, 64, 50}, Case{12, 0, 1000, 1000}, Case{40, 25, 7, 13},
                        Case{229, 200, 230, 229}, Case{3, 12000, 50, 1}}) {
    const std::vector<uint32_t> lists =
        TopSimilar(images, UpTo(kN), others, places,
                   {.neighbours = c.k, .min_km = c.min_km, .chunk = c.chunk, .tile = c.tile});
    ASSERT_EQ(std::ssize(lists), kN * c.k);
    for (int64_t i = 0; i < kN; ++i) {
      std::vector<std::pair<int64_t, uint32_t>> all;
      for (int64_t j = 0; j < kN; ++j) {
        if (i == j || i == 5 || j == 5 || HaversineKm(places[i], places[j]) < c.min_km) continue;
        all.emplace_back(-product(i, j), static_cast<uint32_t>(j));
      }
      std::sort(all.begin(), all.end());
      // Which of several equal ones end the list is left open.
      std::set<uint32_t> last;
      for (const auto& [score, row] : all)
        if (std::ssize(all) > c.k && score == all[c.k - 1].first) last.insert(row);
      for (int64_t r = 0; r < c.k; ++r) {
        const uint32_t found = lists[i * c.k + r];
        if (r >= std::ssize(all)) {
          ASSERT_EQ(found, kNoNeighbour) << i << ", " << r;
        } else if (!last.contains(all[r].second)) {
          ASSERT_EQ(found, all[r].second) << i << ", " << r;
        } else {
          ASSERT_TRUE(last.erase(found) == 1) << i << ", " << r;
        }
      }
    }
  }
}

TEST(TopSimilar, AShareOfTheRecordsGetsTheSameLists) {
  constexpr int64_t kN = 90, kK = 6;
  const at::Tensor images = WholeRows(kN, 5, 1), others = WholeRows(kN, 5, 2);
  const std::vector<LatLon> places = Towns(kN, 3);
  const std::vector<uint32_t> all = TopSimilar(images, UpTo(kN), others, places, {.neighbours = kK});
  const std::vector<int64_t> share = {88, 3, 40, 41, 5};
  const std::vector<uint32_t> some = TopSimilar(images.index_select(0, at::tensor(share)), share, others,
                                                places, {.neighbours = kK, .chunk = 2});
  ASSERT_EQ(some.size(), share.size() * kK);
  for (size_t i = 0; i < share.size(); ++i)
    for (int64_t j = 0; j < kK; ++j)
      EXPECT_EQ(some[i * kK + j], all[share[i] * kK + j]) << share[i] << ", " << j;
}

TEST(TopSimilar, RefusesRowsThatAreNotFinite) {
  at::Tensor images = WholeRows(4, 2, 1);
  const at::Tensor others = WholeRows(4, 2, 2);
  images[2][1] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<LatLon> places = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
  EXPECT_THROW(TopSimilar(images, UpTo(4), others, places, {.neighbours = 2}), Error);
  EXPECT_THROW(TopSimilar(others, UpTo(4), images, places, {.neighbours = 2}), Error);
}

}  // namespace
}  // namespace graticule
