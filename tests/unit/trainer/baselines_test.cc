// Baselines on a world small enough to know every answer, and the comparison with a model's predictions.
#include "trainer/eval/baselines.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/image/jpeg_encode.h"
#include "trainer/eval/comparison.h"

namespace graticule {
namespace {

// Plain images of one brightness per record.
class PlainDataset : public Dataset {
 public:
  PlainDataset(std::vector<LatLon> places, std::vector<uint8_t> levels)
      : places_(std::move(places)), levels_(std::move(levels)) {}
  int64_t size() const override { return static_cast<int64_t>(places_.size()); }
  LatLon place(int64_t record) const override { return places_[static_cast<size_t>(record)]; }
  RecordMeta meta(int64_t) const override { return {}; }
  std::string id(int64_t record) const override { return std::to_string(record); }
  uint32_t image_bytes(int64_t) const override { return 0; }
  void ReadImage(int64_t record, std::vector<uint8_t>& out) const override {
    const uint8_t level = levels_[static_cast<size_t>(record)];
    if (level == 0) throw BadRecord{record, "crc"};
    Image image;
    image.Reset(32, 24);
    image.rgb.assign(image.rgb.size(), level);
    out = JpegEncoder().Encode(image.view(), 90);
  }
  RecordKeys keys(int64_t) const override { return {}; }
  RecordAddress Address(int64_t record) const override { return {0, 0, record}; }
  std::vector<DatasetFolder> folders() const override { return {}; }
  std::string Locate(int64_t) const override { return ""; }
  std::string Sha256() const override { return ""; }
  double Coverage(const std::string&) const override { return 0; }

 private:
  std::vector<LatLon> places_;
  std::vector<uint8_t> levels_;
};

class BaselinesTest : public ::testing::Test {
 protected:
  BaselinesTest() {
    std::vector<LatLon> places;
    std::vector<uint8_t> levels;
    for (int i = 0; i < 6; ++i)
      places.push_back({48.0 + 0.01 * i, 11.0}), levels.push_back(50);  // the common place
    for (int i = 0; i < 3; ++i) places.push_back({-33.9, 151.0 + 0.01 * i}), levels.push_back(200);
    train_ = std::make_shared<PlainDataset>(places, levels);
    cells_ = BuildS2Cells(places, {.min_images = 0, .max_images = 6});
    parts_["near"] = std::make_shared<PlainDataset>(std::vector<LatLon>{{48.02, 11}, {-33.9, 151.01}},
                                                    std::vector<uint8_t>{52, 198});
    parts_["far"] = std::make_shared<PlainDataset>(std::vector<LatLon>{{40, -100}, {41, -100}},
                                                   std::vector<uint8_t>{49, 0});
  }
  std::shared_ptr<Dataset> train_;
  std::shared_ptr<const CellTable> cells_;
  std::map<std::string, std::shared_ptr<const Dataset>> parts_;
};

TEST_F(BaselinesTest, KnowsEveryAnswerOfASmallWorld) {
  const BaselineReport report = EvaluateBaselines(*train_, parts_, *cells_, {.seed = 1, .threads = 2});
  const auto& near = report.parts.at("near");
  EXPECT_DOUBLE_EQ(near.at("common_cell").within[3], 0.5);  // Munich is right, Sydney is not
  EXPECT_DOUBLE_EQ(near.at("colour_knn").within[3], 1.0);   // brightness tells them apart
  EXPECT_DOUBLE_EQ(near.at("cell_ceiling").within[3], 1.0);
  const auto& far = report.parts.at("far");
  EXPECT_DOUBLE_EQ(far.at("cell_ceiling").within[4], 0.0);  // no cell within 2,500 km
  EXPECT_EQ(far.at("colour_knn").images, 1);                // the bad record is left out
  EXPECT_EQ(report.unreadable, 1);
  EXPECT_EQ(report.train_images, 9);
  EXPECT_EQ(report.all.at("common_cell").images, 4);
  EXPECT_DOUBLE_EQ(report.all.at("common_cell").within[3], 0.25);
  EXPECT_NEAR(report.largest_cell_share, 6.0 / 9, 1e-12);
}

TEST_F(BaselinesTest, DoesNotDependOnThreads) {
  const auto one = EvaluateBaselines(*train_, parts_, *cells_, {.seed = 3, .threads = 1});
  const auto many = EvaluateBaselines(*train_, parts_, *cells_, {.seed = 3, .threads = 4});
  for (const char* name : kBaselineNames)
    EXPECT_EQ(one.all.at(name).Named(), many.all.at(name).Named()) << name;
}

class ComparisonTest : public ::testing::Test {
 protected:
  ComparisonTest() : root_(std::filesystem::path(::testing::TempDir()) / "comparison_test") {
    std::filesystem::remove_all(root_);
    Write("near/predictions.csv",
          "id,lat,lon,pred_lat,pred_lon,error_km,cell,probability,country\n"
          "a,10,20,10,20.001,,3,0.5,NA\n"
          "\"b,1\",10,20,60,20,,4,0.5,FR\n");
    Write("far/predictions.csv",
          "id,lat,lon,pred_lat,pred_lon,error_km,cell,probability,country\nc,0,0,0,3,,1,0.25,US\n");
    nlohmann::json part = {{"common_cell", {{"images", 2}, {"acc_750", 0.25}}},
                           {"colour_knn", {{"images", 2}, {"acc_750", 0.5}}}};
    nlohmann::json baselines = part;
    baselines["parts"]["near"] = part;
    part["common_cell"]["images"] = 1;
    baselines["parts"]["far"] = part;
    for (auto* group : {&baselines, &baselines["parts"]["near"], &baselines["parts"]["far"]}) {
      for (const char* name : {"common_cell", "colour_knn"}) {
        for (const char* metric : {"acc_1", "acc_25", "acc_200", "acc_2500", "median_km"})
          (*group)[name][metric] = 0.0;
      }
    }
    Write("baselines.json", baselines.dump());
  }
  ~ComparisonTest() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  std::filesystem::path root_;
};

TEST_F(ComparisonTest, PutsTheModelBesideTheBaselines) {
  const Comparison comparison =
      CompareWithBaselines({{"near", root_ / "near"}, {"far", root_ / "far"}}, root_ / "baselines.json");
  const auto summary = nlohmann::json::parse(comparison.summary_json);
  EXPECT_DOUBLE_EQ(summary["model"]["acc_1"], 1.0 / 3);    // 0.1 km
  EXPECT_DOUBLE_EQ(summary["model"]["acc_750"], 2.0 / 3);  // 0.1 and 334 km of three
  EXPECT_DOUBLE_EQ(summary["parts"]["near"]["model"]["acc_750"], 0.5);
  EXPECT_DOUBLE_EQ(summary["parts"]["far"]["model"]["acc_750"], 1.0);
  EXPECT_NEAR(summary["model"]["median_km"], 333.585, 0.01);  // 3 degrees of the equator
  EXPECT_NEAR(summary["ratios_750"]["common_cell"], 2.0 / 3 / 0.25, 1e-12);
  EXPECT_NEAR(summary["ratios_750"]["colour_knn"], 2.0 / 3 / 0.5, 1e-12);
  EXPECT_NE(comparison.table.find("2.7 times as many as the most common cell and 1.3 times as many as"),
            std::string::npos)
      << comparison.table;
  EXPECT_EQ(comparison.rows.at("near")[1].id, "b,1");
  EXPECT_EQ(comparison.rows.at("near")[0].country, "NA");
}

TEST_F(ComparisonTest, ABaselineThatFindsNothingHasNoRatio) {
  std::ifstream in(root_ / "baselines.json");
  auto baselines = nlohmann::json::parse(in);
  baselines["common_cell"]["acc_750"] = 0.0;
  Write("baselines.json", baselines.dump());
  const Comparison comparison =
      CompareWithBaselines({{"near", root_ / "near"}, {"far", root_ / "far"}}, root_ / "baselines.json");
  EXPECT_TRUE(nlohmann::json::parse(comparison.summary_json)["ratios_750"]["common_cell"].is_null());
  EXPECT_NE(comparison.table.find("some where the most common cell finds none and 1.3 times"),
            std::string::npos)
      << comparison.table;
}

TEST_F(ComparisonTest, RefusesPartsOfDifferentSize) {
  Write("far/predictions.csv", "id,lat,lon,pred_lat,pred_lon\nc,0,0,0,3\nd,0,0,0,3\n");
  EXPECT_THROW(
      CompareWithBaselines({{"near", root_ / "near"}, {"far", root_ / "far"}}, root_ / "baselines.json"),
      Error);
}

TEST_F(ComparisonTest, NamesTheLineOfARowThatWasCutShort) {
  Write("far/predictions.csv", "id,lat,lon,pred_lat,pred_lon\nc,0,0,0\n");
  try {
    ReadPredictions(root_ / "far/predictions.csv");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    EXPECT_NE(error.where().find("predictions.csv:2"), std::string::npos) << error.where();
  }
}

}  // namespace
}  // namespace graticule
