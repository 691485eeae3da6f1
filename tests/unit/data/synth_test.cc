// The demo world: its bytes depend on the seed alone, its planet is plausible, and its patterns carry no
// colour mean.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/error.h"
#include "data/synth/archive_writer.h"
#include "data/synth/demo_tables.h"
#include "data/synth/demo_world.h"
#include "data/synth/lands.h"
#include "data/synth/patterns.h"

namespace graticule {
namespace {

namespace fs = std::filesystem;

class SynthTest : public ::testing::Test {
 protected:
  SynthTest()
      : root_(fs::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(root_);
  }
  ~SynthTest() override { fs::remove_all(root_); }

  static std::string Slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  static std::map<std::string, std::string> Files(const fs::path& root) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_regular_file()) files[fs::relative(entry.path(), root)] = Slurp(entry.path());
    }
    return files;
  }

  fs::path root_;
};

TEST_F(SynthTest, QuadtreeColumnsHoldLeavesBelowTheirThresholdsThatNest) {
  const Planet planet(5);
  std::vector<DemoPhoto> photos;
  for (uint64_t i = 0; i < 1500; ++i) photos.push_back(PlanPhoto(planet, 5, i, false));
  std::istringstream lines(Osv5mCsv(planet, photos));
  std::string line;
  std::getline(lines, line);
  std::map<int, int> fine, coarse, parent;
  while (std::getline(lines, line)) {
    std::vector<std::string> fields;
    std::istringstream row(line);
    for (std::string field; std::getline(row, field, ',');) fields.push_back(field);
    const auto from_end = [&](size_t n) { return std::stoi(fields.at(fields.size() - n)); };
    const int leaf500 = from_end(8), leaf1000 = from_end(11);
    ++fine[leaf500];
    ++coarse[leaf1000];
    EXPECT_EQ(parent.emplace(leaf500, leaf1000).first->second, leaf1000);
    EXPECT_EQ(from_end(7), 0);  // quadtree_10_2500: nothing to split
  }
  EXPECT_GT(fine.size(), coarse.size());
  for (const auto& [leaf, images] : fine) EXPECT_LT(images, 500) << leaf;
  for (const auto& [leaf, images] : coarse) EXPECT_LT(images, 1000) << leaf;
}

TEST_F(SynthTest, WorldDependsOnSeedAndNotOnThreads) {
  WriteDemoWorld({.out = root_ / "a", .seed = 5, .osv_images = 20, .mp16_images = 12, .threads = 1});
  WriteDemoWorld({.out = root_ / "b", .seed = 5, .osv_images = 20, .mp16_images = 12, .threads = 3});
  WriteDemoWorld({.out = root_ / "c", .seed = 6, .osv_images = 20, .mp16_images = 12, .threads = 3});
  const auto a = Files(root_ / "a"), b = Files(root_ / "b"), c = Files(root_ / "c");
  EXPECT_EQ(a.size(), 19u + 1 + 1 + 2 + 1 + 1);  // slices, zip, train.csv, two tables, extra.csv, world.json
  EXPECT_TRUE(a == b);
  EXPECT_EQ(a.size(), c.size());
  EXPECT_NE(a.at("osv5m/images/train/00.zip"), c.at("osv5m/images/train/00.zip"));
}

TEST_F(SynthTest, WorldIsReusedAndNeverMixed) {
  DemoWorldOptions options{.out = root_ / "w", .seed = 1, .osv_images = 3, .mp16_images = 2, .threads = 1};
  EXPECT_FALSE(WriteDemoWorld(options).reused);
  EXPECT_TRUE(WriteDemoWorld(options).reused);
  options.seed = 2;
  EXPECT_THROW(WriteDemoWorld(options), Error);
}

TEST_F(SynthTest, SlicesConcatenateToTheTar) {
  fs::create_directories(root_);
  const std::string tar = root_ / "x.tar";
  ArchiveWriter writer(tar, ArchiveWriter::Format::kTar);
  const std::vector<uint8_t> bytes(3000, 7);
  writer.AddFile("./images/a.jpg", bytes);
  writer.Close();
  const std::string whole = Slurp(tar);
  SplitIntoSlices(tar, root_ / "part", 7);
  std::string joined;
  for (int i = 0; i < 7; ++i) joined += Slurp(root_ / ("part0" + std::to_string(i)));
  EXPECT_EQ(joined, whole);
  EXPECT_NE(fs::file_size(root_ / "part00") % 512, 0u);
  EXPECT_FALSE(fs::exists(tar));
}

TEST(Planet, TownWeightsSumToOneAndNoneDominates) {
  const Planet planet(1);
  double total = 0, largest = 0;
  for (const Town& town : planet.towns()) {
    total += town.weight;
    largest = std::max(largest, town.weight);
    EXPECT_TRUE(IsValid(town.place)) << town.name;
  }
  EXPECT_NEAR(total, 1, 1e-9);
  EXPECT_LT(largest, 0.01);
}

TEST(Planet, FactsArePlausible) {
  const Planet planet(1);
  std::set<int> climates, countries;
  for (uint64_t i = 0; i < 3000; ++i) {
    const DemoPhoto photo = PlanPhoto(planet, 1, i, false);
    const PlaceFacts& f = photo.facts;
    EXPECT_TRUE(IsValid(f.place));
    EXPECT_GE(f.climate, 1);
    EXPECT_LE(f.climate, 30);
    EXPECT_GE(f.elev_m, 0);
    EXPECT_LT(f.elev_m, 6000);
    EXPECT_GT(f.prec_mm, 0);
    EXPECT_EQ(f.drive_left, DemoCountries()[f.country].drive_left);
    EXPECT_GE(std::max(photo.width, photo.height), 160);
    EXPECT_LE(std::max(photo.width, photo.height), 400);
    for (int field = 0; field < kStyleFields; ++field) EXPECT_LT(f.style[field], kStyleValues[field]);
    if (std::abs(f.place.lat_deg) < 10 && f.elev_m < 500) EXPECT_LE(f.climate, 7) << f.place.lat_deg;
    climates.insert(f.climate);
    countries.insert(f.country);
  }
  EXPECT_GE(climates.size(), 15u);
  EXPECT_GE(countries.size(), 70u);
}

TEST(Planet, StyleHoldsOverARegionAndChangesBeyond) {
  const Planet planet(1);
  int same_near = 0, same_far = 0, n = 0;
  for (size_t t = 0; t + 1 < planet.towns().size(); t += 5, ++n) {
    const LatLon p = planet.towns()[t].place;
    const int town = static_cast<int>(t);
    const auto here = planet.FactsAt(p, town).style;
    const auto near = planet.FactsAt(Normalised({p.lat_deg * 0.99, p.lon_deg + 0.3}), town).style;
    const auto far = planet.FactsAt(Normalised({-p.lat_deg, p.lon_deg + 120}), town).style;
    same_near += std::equal(here.begin(), here.begin() + kRoadMarking, near.begin());
    same_far += std::equal(here.begin(), here.begin() + kRoadMarking, far.begin());
  }
  EXPECT_GT(same_near, n * 7 / 10);
  EXPECT_LT(same_far, n / 20 + 2);
}

TEST(Planet, WinterIsColdOnBothHemispheres) {
  PlaceFacts facts{.tavg_c = 10, .tdiff_c = 20};
  facts.place = {50, 0};
  EXPECT_NEAR(Planet::MonthlyTemperature(facts, 7), 20, 1e-9);
  facts.place = {-50, 0};
  EXPECT_NEAR(Planet::MonthlyTemperature(facts, 7), 0, 1e-9);
}

TEST(Patterns, FacadesSwingEvenly) {
  for (int kind = 0; kind < kStyleValues[kFacadePattern]; ++kind) {
    double sum = 0;
    constexpr int kSide = 400;
    for (int i = 0; i < kSide; ++i) {
      for (int j = 0; j < kSide; ++j) {
        sum += static_cast<double>(FacadePattern(kind, 20.0f * static_cast<float>(i) / kSide + 0.013f,
                                                 20.0f * static_cast<float>(j) / kSide + 0.007f));
      }
    }
    EXPECT_NEAR(sum / (kSide * kSide), 0, 0.06) << "pattern " << kind;
  }
}

TEST(DemoTables, CaptureTimesMatchTheirMonth) {
  const Planet planet(1);
  for (uint64_t i = 0; i < 500; ++i) {
    const DemoPhoto photo = PlanPhoto(planet, 3, i, false);
    const time_t seconds = static_cast<time_t>(photo.captured_ms / 1000);
    tm civil{};
    gmtime_r(&seconds, &civil);
    EXPECT_EQ(civil.tm_mon + 1, photo.month);
  }
}

TEST(DemoTables, Osv5mRowsHave32Columns) {
  const Planet planet(1);
  const std::vector<DemoPhoto> photos = {PlanPhoto(planet, 1, 0, false), PlanPhoto(planet, 1, 1, false)};
  std::istringstream csv(Osv5mCsv(planet, photos));
  std::string line;
  while (std::getline(csv, line)) {
    int commas = 0;
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      commas += c == ',' && !quoted;
    }
    EXPECT_EQ(commas, 31) << line;
  }
}

}  // namespace
}  // namespace graticule
