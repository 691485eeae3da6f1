#include "trainer/eval/report.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "trainer/eval/geojson.h"

namespace graticule {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<EvalRow> Rows() {
  return {{.record = 2,
           .id = "c",
           .truth = {kNaN, kNaN},
           .prediction = {1, 2},
           .cell = 3,
           .probability = 0.5,
           .probability_25km = 0.5,
           .country = ""},
          {.record = 0,
           .id = "a,\"b\"",
           .truth = {0, 0},
           .prediction = {0, 1},
           .cell = 7,
           .probability = 0.25,
           .probability_25km = 0.375,
           .country = "GA"},
          {.record = 1,
           .id = "<i>",
           .truth = {-17.5, 179},
           .prediction = {-17.5, 179},
           .cell = 0,
           .probability = 1,
           .probability_25km = 1,
           .country = "FJ"}};
}

TEST(EvaluationReport, WritesOneLinePerRecordInTheirOrder) {
  const std::string folder = (std::filesystem::path(::testing::TempDir()) / "eval_report").string();
  std::filesystem::remove_all(folder);
  WriteEvaluation(PosixFs(), folder, Rows(),
                  {.set = "near", .data_sha256 = "d", .cells_sha256 = "c", .weights_sha256 = "w"},
                  {.replicates = 10});
  EXPECT_EQ(ReadFileToString(folder + "/predictions.csv"),
            "id,lat,lon,pred_lat,pred_lon,error_km,cell,probability,country,probability_25km\n"
            "\"a,\"\"b\"\"\",0,0,0,1,111.194927,7,0.25,GA,0.375\n"
            "<i>,-17.5,179,-17.5,179,0.000000,0,1,FJ,1\n"
            "c,,,1,2,,3,0.5,,0.5\n");
  for (const char* name : {"error_map.svg", "error_cdf.svg"}) {
    const std::string svg = ReadFileToString(folder + "/" + name);
    EXPECT_TRUE(svg.starts_with("<svg ")) << name;
    EXPECT_EQ(svg.find("<i>"), std::string::npos) << name;
    EXPECT_EQ(svg.find("nan"), std::string::npos) << name;
  }
  const auto json = nlohmann::json::parse(ReadFileToString(folder + "/metrics.json"));
  EXPECT_EQ(json["set"], "near");
  EXPECT_EQ(json["hashes"],
            (nlohmann::json{{"data_sha256", "d"}, {"cells_sha256", "c"}, {"weights_sha256", "w"}}));
  EXPECT_EQ(json["denominators"],
            (nlohmann::json{{"records", 3}, {"images", 2}, {"without_place", 1}, {"with_country", 2}}));
  EXPECT_EQ(json["metrics"]["acc_1"], 0.5);
  EXPECT_EQ(json["metrics"]["acc_200"], 1.0);
  EXPECT_EQ(json["by_country"]["FJ"]["images"], 1);
  EXPECT_EQ(json["definitions"]["radius_km"], 6371.0);
  EXPECT_EQ(json["intervals_95"]["acc_200"], (nlohmann::json{1.0, 1.0}));
  EXPECT_TRUE(json["step"].is_null());
  std::filesystem::remove_all(folder);
}

TEST(EvaluationReport, IsValidJsonWhenNothingCouldBeMeasured) {
  const std::string text = MetricsJson(Evaluate({}), {.set = "empty"}, {});
  const auto json = nlohmann::json::parse(text);
  EXPECT_TRUE(json["metrics"]["median_km"].is_null());
  EXPECT_EQ(json["denominators"]["images"], 0);
  EXPECT_TRUE(ErrorMapSvg({}, "t").starts_with("<svg "));
  EXPECT_EQ(ErrorCdfSvg({}, "t").find("nan y"), std::string::npos);
}

TEST(EvaluationReport, DrawsOneDotForManyNeighbours) {
  std::vector<EvalRow> rows;
  for (int i = 0; i < 6000; ++i) {
    const bool paris = i % 3 == 0;
    const LatLon truth = paris ? LatLon{48.8 + 1e-5 * i, 2.3} : LatLon{-33.9, 151.2 + 1e-5 * i};
    rows.push_back({.record = i, .truth = truth, .prediction = paris ? truth : LatLon{-33.9, 140}});
  }
  const std::string svg = ErrorMapSvg(rows, "t");
  size_t circles = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) ++circles;
  EXPECT_EQ(circles, 2u);
  EXPECT_NE(svg.find("2,000 images, median 0 km"), std::string::npos);
  EXPECT_NE(svg.find("4,000 images, median 1,03"),
            std::string::npos);  // 11.2 degrees of longitude at 33.9 south
}

TEST(GeoJson, WritesPointsAsLongitudeLatitude) {
  const std::vector<PhotoGuesses> photos = {
      {"p \xff.jpg", {{{48.5, 2.25}, 7, 0.75, 0.875}, {{-17, 190}, 9, 0.125}}}, {"none.jpg", {}}};
  const auto json = nlohmann::json::parse(ToGeoJson(photos, "place", 40));
  EXPECT_EQ(json["type"], "FeatureCollection");
  ASSERT_EQ(json["features"].size(), 2u);
  const auto& first = json["features"][0];
  EXPECT_EQ(first["type"], "Feature");
  EXPECT_EQ(first["geometry"], (nlohmann::json{{"type", "Point"}, {"coordinates", {2.25, 48.5}}}));
  EXPECT_EQ(first["properties"]["rank"], 0);
  EXPECT_EQ(first["properties"]["place"], 7);
  EXPECT_EQ(first["properties"]["probability"], 0.75);
  EXPECT_EQ(first["properties"]["near_probability"], 0.875);
  EXPECT_EQ(first["properties"]["near_km"], 40);
  EXPECT_EQ(json["features"][1]["geometry"]["coordinates"][0], -170.0);
  EXPECT_THROW(ToGeoJson(std::vector<PhotoGuesses>{{"x", {{{kNaN, 0}, 0, 1}}}}, "cell", 25), Error);
}

}  // namespace
}  // namespace graticule
