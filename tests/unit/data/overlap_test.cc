#include "data/overlap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/split/split_sidecar.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

struct Given {
  std::string id;
  double lat_deg, lon_deg;
  int64_t author = 0, sequence = 0;
  int image = -1;  // which bytes; -1: none
};

Manifest WriteGiven(const std::string& folder, const std::vector<Given>& records) {
  Dictionaries none;
  DatasetWriter writer(PosixFs(), folder, {.dataset = "given", .split = "all", .records_per_shard = 2}, none);
  for (const Given& given : records) {
    RecordRow row;
    row.SetFloat(Col::kLat, given.lat_deg);
    row.SetFloat(Col::kLon, given.lon_deg);
    if (given.author != 0) row.SetInt(Col::kAuthorHash, given.author);
    if (given.sequence != 0) row.SetInt(Col::kSeqHash, given.sequence);
    writer.Append(given.id, given.image < 0 ? std::vector<uint8_t>() : TinyImage(given.image), {}, row);
  }
  return writer.Finish();
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Found {
  OverlapResult result;
  std::vector<OverlapPair> pairs;
};

Found Find(const OverlapPart& a, const OverlapPart& b, double km) {
  Found found;
  found.result = FindOverlap(a, b, km, [&](const OverlapPair& pair) { found.pairs.push_back(pair); });
  return found;
}

// A degree of latitude on the sphere of 6371 km is 111.195 km long.
class OverlapOfHandMadeSets : public testing::Test {
 protected:
  OverlapOfHandMadeSets() {
    WriteGiven(folder_ / "a", {{"one", 10, 20, 7, 71, 1},
                               {"two", 10.5, 20, 7, 72, 2},
                               {"four", kNaN, kNaN, 0, 0, -1},
                               {"three", -40, 179.999, 8, 0, 3},
                               {"five", 60, 0, 0, 0, 5}});
    WriteGiven(folder_ / "b", {{"two", 0, 0, 0, 0, 12},          // the id alone
                               {"b1", 5, 5, 7, 72, 13},          // author of one and two, sequence of two
                               {"b2", -40, -179.999, 0, 0, 14},  // 0.17 km from three, across 180 degrees
                               {"b3", 30, 30, 0, 0, 5},          // the bytes of five
                               {"b4", kNaN, kNaN, 0, 0, -1},     // nothing to compare
                               {"one", 10.001, 20, 7, 71, 1}});  // everything
  }
  TemporaryFolder folder_;
};

TEST_F(OverlapOfHandMadeSets, IsCountedPerCriterion) {
  const Found found = Find({folder_ / "a", ""}, {folder_ / "b", ""}, 1);
  EXPECT_EQ(found.result.records_a, 5);
  EXPECT_EQ(found.result.records_b, 6);
  const int64_t shared[] = {2, 2, 2, 2, 2}, known_a[] = {5, 4, 3, 2, 4}, known_b[] = {6, 5, 2, 2, 5};
  for (size_t by = 0; by < kOverlapCount; ++by) {
    EXPECT_EQ(found.result.by[by].shared, shared[by]) << kOverlapNames[by];
    EXPECT_EQ(found.result.by[by].known_a, known_a[by]) << kOverlapNames[by];
    EXPECT_EQ(found.result.by[by].known_b, known_b[by]) << kOverlapNames[by];
  }
  EXPECT_EQ(found.result.any, 5);
  EXPECT_NEAR(found.result.min_km, 0.111195, 1e-6);
  EXPECT_EQ(found.result.nearest_a, 0);
  EXPECT_EQ(found.result.nearest_b, 5);
}

TEST_F(OverlapOfHandMadeSets, TellsEachPairOnceWithAllThatItShares) {
  const Found found = Find({folder_ / "a", ""}, {folder_ / "b", ""}, 1);
  std::vector<std::string> told;
  for (const OverlapPair& pair : found.pairs) {
    std::string line = pair.id_a + " " + pair.id_b;
    for (size_t by = 0; by < kOverlapCount; ++by) {
      if (pair.shared[by]) line += std::string(" ") + kOverlapNames[by];
    }
    told.push_back(line);
  }
  // b1's first record with the author is one, its first record with the sequence is two.
  EXPECT_EQ(told, (std::vector<std::string>{"two two id", "one b1 author", "two b1 author sequence",
                                            "three b2 place", "five b3 bytes",
                                            "one one id bytes author sequence place"}));
  EXPECT_EQ(found.result.pairs, 6);
  EXPECT_NEAR(found.pairs[3].km, 2 * 0.001 * 111.19493 * std::cos(40 * M_PI / 180), 1e-4);
}

TEST_F(OverlapOfHandMadeSets, TheDistanceDecidesAboutPlacesOnly) {
  EXPECT_EQ(Find({folder_ / "a", ""}, {folder_ / "b", ""}, 0.15).result.by[4].shared, 1);
  EXPECT_EQ(Find({folder_ / "a", ""}, {folder_ / "b", ""}, 0.1).result.by[4].shared, 0);
  EXPECT_EQ(Find({folder_ / "a", ""}, {folder_ / "b", ""}, 20'100).result.by[4].shared, 5);
  EXPECT_EQ(Find({folder_ / "a", ""}, {folder_ / "b", ""}, 0.1).result.by[0].shared, 2);
}

TEST(Overlap, ComparesTwoSplitsOfOneFolderAndRefusesAPartWithItself) {
  const TemporaryFolder folder;
  const Manifest manifest =
      WriteGiven(folder / "d", {{"x", 1, 1, 5}, {"y", 2, 2, 5}, {"z", 3, 3, 6}, {"x", 9, 9, 6}});
  WriteSplit(PosixFs(), folder / "d", manifest, {.names = {"train", "val", "none"}, .label = {0, 1, 1, 2}});
  const Found found = Find({folder / "d", "train"}, {folder / "d", "val"}, 1);
  EXPECT_EQ(found.result.records_a, 1);
  EXPECT_EQ(found.result.records_b, 2);
  ASSERT_EQ(found.pairs.size(), 1u);
  EXPECT_EQ(found.pairs[0].record_a, 0);
  EXPECT_EQ(found.pairs[0].record_b, 1);
  EXPECT_EQ(Find({folder / "d", "val"}, {folder / "d", "none"}, 1).pairs.at(0).record_a, 2);
  const auto refusal = [&](const char* a, const char* b) {
    return FailureOf([&] { Find({folder / "d", a}, {folder / "d", b}, 1); }, ErrorCode::kUsage);
  };
  EXPECT_NE(refusal("", "").find("--split-a"), std::string::npos);
  EXPECT_NE(refusal("train", "").find("--split-a"), std::string::npos);
  EXPECT_NE(refusal("train", "train").find("--split-a"), std::string::npos);
  EXPECT_NE(refusal("train", "test").find("train, val, none"), std::string::npos);
}

}  // namespace
}  // namespace graticule
