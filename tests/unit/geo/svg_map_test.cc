#include "geo/svg_map.h"

#include <gtest/gtest.h>

#include <regex>

#include "geo/cell_table.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

// Areas of the drawn region's pieces in square pixels, by the shoelace formula over the file's own numbers.
std::vector<double> Areas(const std::string& svg, const std::string& fill) {
  std::vector<double> areas;
  const std::regex path("<path d=\"M([^\"]*)Z\" fill=\"" + fill + "\"");
  for (std::sregex_iterator it(svg.begin(), svg.end(), path), end; it != end; ++it) {
    std::vector<SvgPoint> points;
    const std::string data = (*it)[1];
    const std::regex pair("([-0-9.]+) ([-0-9.]+)");
    for (std::sregex_iterator p(data.begin(), data.end(), pair); p != end; ++p) {
      points.push_back({std::stod((*p)[1]), std::stod((*p)[2])});
    }
    double twice = 0;
    for (size_t i = 0; i < points.size(); ++i) {
      const SvgPoint a = points[i], b = points[(i + 1) % points.size()];
      twice += a.x * b.y - b.x * a.y;
    }
    areas.push_back(std::abs(twice) / 2);
  }
  return areas;
}

double Sum(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum;
}

// The projection keeps areas, so a region's share of the sphere is its share of the map: a test that knows
// nothing of how outlines are cut.
double ShareOfMap(const Ring& ring, size_t* pieces = nullptr) {
  WorldMap map({.title = "t"});
  map.Region(std::span(&ring, 1), "#123456");
  const std::vector<double> part = Areas(map.str(), "#123456");
  if (pieces != nullptr) *pieces = part.size();
  return Sum(part) / Sum(Areas(map.str(), ink::kSphere));
}

TEST(WorldMap, KeepsTheAreaOfRegionsAlsoAcrossTheAntimeridianAndAtThePoles) {
  size_t pieces = 0;
  EXPECT_NEAR(ShareOfMap({{0, 10}, {0, 55}, {30, 55}, {30, 10}}, &pieces), 45.0 / 360 * 0.5 / 2, 2e-5);
  EXPECT_EQ(pieces, 1u);
  EXPECT_NEAR(ShareOfMap({{0, 160}, {0, -155}, {30, -155}, {30, 160}}, &pieces), 45.0 / 360 * 0.5 / 2, 2e-5);
  EXPECT_EQ(pieces, 2u);
  // A corner on the pole, written with any longitude: one octant of the sphere.
  EXPECT_NEAR(ShareOfMap({{0, 0}, {0, 30}, {0, 60}, {0, 90}, {90, -135}}), 1.0 / 8, 1e-4);
  EXPECT_NEAR(ShareOfMap({{0, 0}, {-90, 77}, {0, 90}, {0, 60}, {0, 30}}), 1.0 / 8, 1e-4);
  // The pole inside: a cap down to 60 degrees.
  std::vector<LatLon> cap;
  for (int lon = -180; lon < 180; lon += 10) cap.push_back({60, static_cast<double>(lon)});
  EXPECT_NEAR(ShareOfMap(cap), (1 - std::sqrt(0.75)) / 2, 1e-4);
  for (LatLon& p : cap) p.lat_deg = -60;
  EXPECT_NEAR(ShareOfMap(cap), (1 - std::sqrt(0.75)) / 2, 1e-4);
}

TEST(WorldMap, CoversTheWholeSphereWithAllS2Cells) {
  const auto table =
      BuildS2Cells(RandomPlaces(20'000, 61), {.min_images = 0, .max_images = 100'000, .min_level = 2});
  ASSERT_EQ(table->size(), 96);
  double share = 0;
  for (int64_t row = 0; row < table->size(); ++row) share += ShareOfMap(table->Rings(row, 12)[0]);
  EXPECT_NEAR(share, 1, 2e-3);
}

TEST(WorldMap, SkipsPlacesThatAreNone) {
  WorldMap map({.title = "t"});
  map.Point({std::nan(""), 0}, 2, "#123456");
  map.Arc({0, 0}, {91, 0}, "#123456", 1);
  EXPECT_EQ(map.str().find("#123456"), std::string::npos);
  EXPECT_EQ(map.str().find("nan"), std::string::npos);
}

TEST(Svg, EscapesTextFromOutside) {
  SvgDocument svg(10, 10, "a<b>&\"c\"");
  svg.Circle({1, 1}, 1, {}, "</title><script>\x01");
  EXPECT_NE(svg.str().find("<title>a&lt;b&gt;&amp;&quot;c&quot;</title>"), std::string::npos);
  EXPECT_EQ(svg.str().find("<script>"), std::string::npos);
  EXPECT_EQ(svg.str().find('\x01'), std::string::npos);
}

TEST(Svg, WritesShortNumbers) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(-1234567), "-1,234,567");
  EXPECT_EQ(ShortNumber(0.25), "0.25");
  EXPECT_EQ(ShortNumber(1840.4), "1,840");
  EXPECT_EQ(ShortNumber(20000), "20k");
  EXPECT_EQ(ShortNumber(4.1e6), "4.1M");
}

TEST(Svg, ChoosesRoundTicksInsideTheRange) {
  const std::vector<double> ticks = RoundTicks(3, 47, 5);
  EXPECT_EQ(ticks, (std::vector<double>{10, 20, 30, 40}));
  EXPECT_EQ(RoundTicks(-1, 1, 4), (std::vector<double>{-1, -0.5, 0, 0.5, 1}));
  EXPECT_EQ(RoundTicks(5, 5, 4), (std::vector<double>{5}));
}

TEST(Svg, RampsRunFromFirstToLastStopAndClamp) {
  const ColourRamp ramp({{{0, 0, 0}}, {{100, 200, 0}}, {{255, 255, 255}}});
  EXPECT_EQ(ramp.At(0), "#000000");
  EXPECT_EQ(ramp.At(0.25), "#326400");
  EXPECT_EQ(ramp.At(0.5), "#64c800");
  EXPECT_EQ(ramp.At(7), "#ffffff");
  EXPECT_EQ(ramp.At(-1), "#000000");
}

}  // namespace
}  // namespace graticule
