#include "geo/wkt.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace graticule {
namespace {

TEST(Wkt, ReadsPolygonsWithHolesAndWindsThemAsGeoJsonDoes) {
  // The outer ring is written clockwise and the hole counter-clockwise: both are turned.
  const auto shape = ParseWktShape("POLYGON ((0 0, 0 10, 10 10, 10 0, 0 0), (2 2, 4 2, 4 4, 2 4, 2 2))");
  ASSERT_EQ(shape.size(), 2u);
  EXPECT_EQ(shape[0], (Ring{{0, 10}, {10, 10}, {10, 0}, {0, 0}}));
  EXPECT_DOUBLE_EQ(TwiceSignedArea(shape[0]), 200);
  EXPECT_DOUBLE_EQ(TwiceSignedArea(shape[1]), -8);
}

TEST(Wkt, ReadsEveryWayOfWritingIt) {
  const std::vector<Ring> triangle = {{{48.8, 2.2}, {48.8, 2.4}, {48.9, 2.3}}};
  EXPECT_EQ(ParseWktShape("polygon((2.2 48.8,2.4 48.8,2.3 48.9))"), triangle);
  EXPECT_EQ(ParseWktShape("POLYGON Z ((2.2 48.8 7, 2.4 48.8 7, 2.3 48.9 7, 2.2 48.8 7)) "), triangle);
  EXPECT_EQ(ParseWktShape("MultiPolygon\n(((2.2e0 48.8, 2.4 48.8, 2.3 48.9, 2.2 48.8)))"), triangle);
  EXPECT_EQ(ParseWktShape("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))").size(), 2u);
}

TEST(Wkt, WritesWhatItReads) {
  for (const char* text :
       {"MULTIPOLYGON (((0 0, 10 0, 10 10, 0 10, 0 0), (2 2, 2 4, 4 4, 4 2, 2 2)))",
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 9 5, 9 9, 5 5), (8 7, 8 6, 7 6, 8 7)))"}) {
    EXPECT_EQ(WktOf(ParseWktShape(text)), text);
  }
}

TEST(Wkt, TheCentroidIsThatOfTheArea) {
  // By hand: a 10 x 10 square (area 100, centre 5, 5) less a 2 x 2 hole at (3, 3).
  const LatLon c =
      PlanarCentroid(ParseWktShape("POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0), (2 2, 4 2, 4 4, 2 4, 2 2))"));
  EXPECT_NEAR(c.lat_deg, (100 * 5 - 4 * 3) / 96.0, 1e-12);
  EXPECT_NEAR(c.lon_deg, (100 * 5 - 4 * 3) / 96.0, 1e-12);
}

TEST(Wkt, SaysWhereItStopsUnderstanding) {
  const auto message = [](const char* text) -> std::string {
    try {
      ParseWktShape(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message("POINT (1 2)").find("expected POLYGON"), std::string::npos);
  EXPECT_NE(message("POLYGON EMPTY").find("EMPTY"), std::string::npos);
  EXPECT_NE(message("POLYGON ((0 0, 1 0, 0 0))").find("fewer than three"), std::string::npos);
  EXPECT_NE(message("POLYGON ((0 0, 1 0, 1 91, 0 0))").find("degrees"), std::string::npos);
  EXPECT_NE(message("POLYGON ((0 0, 1 nan, 1 1, 0 0))").find("degrees"), std::string::npos);
  EXPECT_NE(message("POLYGON ((0 0, 1 0, 1 1, 0 0)").find("character 30: expected ')'"), std::string::npos);
  EXPECT_NE(message("POLYGON ((0 0, 1 0, 1 1, 0 0)) x").find("text follows"), std::string::npos);
  EXPECT_NE(message("").find("expected POLYGON"), std::string::npos);
}

}  // namespace
}  // namespace graticule
