#include "data/country.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace graticule {
namespace {

TEST(Country, KnowsCodesInAnyCase) {
  EXPECT_EQ(NumericCountry("DE"), 276);
  EXPECT_EQ(NumericCountry("us"), 840);
  EXPECT_EQ(NumericCountry("Zw"), 716);
  EXPECT_EQ(NumericCountry("AD"), 20);
  EXPECT_EQ(NumericCountry("XK"), 983);
  EXPECT_EQ(NumericCountry("ZZ"), 0);
  EXPECT_EQ(NumericCountry(""), 0);
  EXPECT_EQ(NumericCountry("USA"), 0);
}

TEST(Country, ReadsNamibiaAsACountryNotAsMissing) {
  EXPECT_EQ(NumericCountry("NA"), 516);
  EXPECT_EQ(NumericCountry("na"), 516);
  EXPECT_EQ(NumericCountry("NMB"), 516);
}

TEST(Country, KnowsAlpha3AndTheCodesOfBorderFiles) {
  EXPECT_EQ(NumericCountryOfAlpha3("DEU"), 276);
  EXPECT_EQ(NumericCountryOfAlpha3("NAM"), 516);
  EXPECT_EQ(NumericCountryOfAlpha3("ROU"), 642);
  EXPECT_EQ(NumericCountryOfAlpha3("KOS"), 983);
  EXPECT_EQ(NumericCountryOfAlpha3("XKO"), 983);
  EXPECT_EQ(NumericCountryOfAlpha3("CYN"), 196);
  EXPECT_EQ(NumericCountryOfAlpha3("SOL"), 706);
  for (const char* unknown : {"", "-99", "Z01", "KAS", "DE", "???"})
    EXPECT_EQ(NumericCountryOfAlpha3(unknown), 0) << unknown;
}

TEST(Country, KnowsEnglishNamesAsGeocodersWriteThem) {
  for (const auto& [name, code] :
       std::vector<std::pair<std::string, std::string>>{{"Switzerland", "CH"},
                                                        {"namibia", "NA"},
                                                        {"The Gambia", "GM"},
                                                        {"Czechia", "CZ"},
                                                        {"Czech Republic", "CZ"},
                                                        {"Côte d'Ivoire", "CI"},
                                                        {"Guinea", "GN"},
                                                        {"Guinea-Bissau", "GW"},
                                                        {"Democratic Republic of the Congo", "CD"},
                                                        {"Congo", "CG"},
                                                        {"Trinidad & Tobago", "TT"},
                                                        {"Virgin Islands, U.S.", "VI"},
                                                        {"Türkiye", "TR"},
                                                        {"Kosovo", "XK"},
                                                        {"Korea, Republic of", "KR"}})
    EXPECT_EQ(Alpha2OfName(name), code) << name;
  for (const char* unknown : {"", "the ", "Atlantis", "Guinea Bissau Ecuador", "Ge"})
    EXPECT_EQ(Alpha2OfName(unknown), "") << unknown;
}

TEST(Country, GoesBackToAlpha2) {
  EXPECT_EQ(Alpha2Of(516), "NA");
  EXPECT_EQ(Alpha2Of(983), "XK");
  EXPECT_EQ(Alpha2Of(0), "");
  EXPECT_EQ(Alpha2Of(999), "");
}

TEST(Country, KnowsTheDrivingSide) {
  EXPECT_EQ(DrivesOnTheLeft("NZ"), true);
  EXPECT_EQ(DrivesOnTheLeft("gb"), true);
  EXPECT_EQ(DrivesOnTheLeft("FR"), false);
  EXPECT_EQ(DrivesOnTheLeft("??"), std::nullopt);
}

}  // namespace
}  // namespace graticule
