#include "data/split/block_split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

// Clustered places on the land-like half of the globe.
std::vector<LatLon> Places(int n, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> lat(-50, 65), lon(-180, 180);
  std::normal_distribution<double> spread(0, 1.5);
  std::vector<LatLon> centres, places;
  for (int i = 0; i < 150; ++i) centres.push_back({lat(random), lon(random)});
  for (int i = 0; i < n; ++i) {
    const LatLon c = centres[random() % centres.size()];
    places.push_back(Normalised({c.lat_deg + spread(random), c.lon_deg + spread(random)}));
  }
  return places;
}

double NearestTrainKm(const std::vector<LatLon>& places, const std::vector<uint8_t>& label, size_t i) {
  double nearest = 1e9;
  for (size_t j = 0; j < places.size(); ++j) {
    if (label[j] == kTrain) nearest = std::min(nearest, HaversineKm(places[i], places[j]));
  }
  return nearest;
}

TEST(BlockSplit, LabelsByTheTrueDistanceToTraining) {
  const std::vector<LatLon> places = Places(3000, 1);
  const SplitLabels labels = MakeBlockSplit(places, {}, {.seed = 3, .val = 0.03});
  std::map<uint8_t, int> counts;
  for (size_t i = 0; i < places.size(); ++i) {
    ++counts[labels.label[i]];
    if (labels.label[i] == kNear) {
      EXPECT_LT(NearestTrainKm(places, labels.label, i), 200);
    }
    if (labels.label[i] == kFar) {
      EXPECT_GE(NearestTrainKm(places, labels.label, i), 200);
    }
    if (labels.label[i] == kTrain) {
      for (size_t j = 0; j < places.size(); ++j) {
        if (labels.label[j] == kVal) {
          EXPECT_GE(HaversineKm(places[i], places[j]), 1.0);
        }
      }
    }
  }
  EXPECT_NEAR(counts[kNear] + counts[kFar], 300, 30);
  EXPECT_GT(counts[kFar], 75);
  EXPECT_GT(counts[kNear], 75);
  EXPECT_NEAR(counts[kVal], 90, 15);
}

TEST(BlockSplit, DependsOnSeedAndPlaceOnly) {
  const std::vector<LatLon> places = Places(2000, 2);
  const auto labels = MakeBlockSplit(places, {}, {.seed = 5}).label;
  std::vector<LatLon> reversed(places.rbegin(), places.rend());
  auto back = MakeBlockSplit(reversed, {}, {.seed = 5}).label;
  std::reverse(back.begin(), back.end());
  EXPECT_EQ(labels, back);
  EXPECT_NE(labels, MakeBlockSplit(places, {}, {.seed = 6}).label);
}

TEST(BlockSplit, TakesSequencesOfValidationOutOfTraining) {
  const std::vector<LatLon> places = Places(2000, 3);
  std::vector<uint64_t> sequences(places.size());
  for (size_t i = 0; i < sequences.size(); ++i) sequences[i] = i % 40;  // 0 = unknown
  const auto labels = MakeBlockSplit(places, sequences, {.hold_out = 0, .val = 0.005}).label;
  std::set<uint64_t> in_val;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == kVal) in_val.insert(sequences[i]);
  }
  in_val.erase(0);
  ASSERT_FALSE(in_val.empty());
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == kTrain) {
      EXPECT_FALSE(in_val.contains(sequences[i]));
    }
  }
}

TEST(BlockSplit, LeavesUnplacedRecordsOut) {
  std::vector<LatLon> places = Places(500, 4);
  places[7] = {std::nan(""), std::nan("")};
  EXPECT_EQ(MakeBlockSplit(places, {}, {}).label[7], kNone);
}

TEST(BlockSplit, RefusesOptionsOutOfRange) {
  const std::vector<LatLon> places = Places(10, 5);
  FailureOf([&] { MakeBlockSplit(places, {}, {.hold_out = 1.5}); }, ErrorCode::kUsage);
  FailureOf([&] { MakeBlockSplit(places, {}, {.region_deg = 0}); }, ErrorCode::kUsage);
}

TEST(BlockSplit, CutsTheGlobeIntoBlocksOfSimilarSize) {
  // Poles and the antimeridian belong to some block, and blocks do not widen towards the poles.
  for (const LatLon p : {LatLon{90, 0}, LatLon{-90, 0}, LatLon{0, -180}, LatLon{0, 179.999}}) BlockOf(p, 0.1);
  std::set<uint64_t> at_equator, at_sixty;
  for (double lon = -180; lon < 180; lon += 0.5) {
    at_equator.insert(BlockOf({0.5, lon}, 5));
    at_sixty.insert(BlockOf({60.5, lon}, 5));
  }
  EXPECT_EQ(at_equator.size(), 72u);
  EXPECT_EQ(at_sixty.size(), 33u);  // 72 * cos(62.5 degrees)
}

}  // namespace
}  // namespace graticule
