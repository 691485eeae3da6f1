#include "data/legend.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(Legend, NamesAreThoseOfThePublishedTables) {
  EXPECT_EQ(NameOfCode(Col::kClimate, 1).substr(0, 2), "Af");
  EXPECT_EQ(NameOfCode(Col::kClimate, 15).substr(0, 3), "Cfb");  // the Chatham Islands of OSV-5M's first row
  EXPECT_EQ(NameOfCode(Col::kClimate, 20).substr(0, 3), "Dsd");
  EXPECT_EQ(NameOfCode(Col::kClimate, 30).substr(0, 2), "EF");
  EXPECT_EQ(NameOfCode(Col::kScene365, 0), "airfield");
  EXPECT_EQ(NameOfCode(Col::kScene365, 8), "apartment_building/outdoor");
  EXPECT_EQ(NameOfCode(Col::kScene365, 183), "house");
  EXPECT_EQ(NameOfCode(Col::kScene365, 319), "street");
  EXPECT_EQ(NameOfCode(Col::kScene365, 364), "zen_garden");
  EXPECT_EQ(NameOfCode(Col::kCountryIso, 516), "NA");
  EXPECT_EQ(NameOfCode(Col::kCountryIso, 983), "XK");
  EXPECT_EQ(NameOfCode(Col::kDriveLeft, 1), "left");
  EXPECT_EQ(NameOfCode(Col::kDriveLeft, 0), "right");
  EXPECT_EQ(NameOfCode(Col::kScene3, 1), "natural");
  EXPECT_EQ(NameOfCode(Col::kPlatform, 2), "cycling surface");
  EXPECT_EQ(NameOfCode(Col::kWeather, 4), "foggy");
  EXPECT_EQ(NameOfCode(Col::kLicence, 2), "CC-BY-SA-2.0");
  EXPECT_EQ(NameOfCode(Col::kGlare, 1), "yes");
}

TEST(Legend, CodesOutsideTheTablesHaveNoName) {
  for (const Col col :
       {Col::kClimate, Col::kScene365, Col::kCountryIso, Col::kDriveLeft, Col::kWeather, Col::kLicence}) {
    EXPECT_TRUE(IsCoded(col));
    for (const int64_t code : {-1, 99999}) EXPECT_EQ(NameOfCode(col, code), "");
  }
  EXPECT_EQ(NameOfCode(Col::kClimate, 31), "");
  EXPECT_EQ(NameOfCode(Col::kScene365, 365), "");
  for (const Col col : {Col::kLandcover, Col::kSoil, Col::kScene16, Col::kMonth, Col::kCity})
    EXPECT_FALSE(IsCoded(col));
}

}  // namespace
}  // namespace graticule
