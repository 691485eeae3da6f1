#include "geo/s2_tokens.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace graticule {
namespace {

struct Vector {
  LatLon place;
  uint64_t id;
  std::vector<int> tokens;
  LatLon centre;
};

// Level 20, two levels per token; centres to the seventh decimal.
const Vector kVectors[] = {
    {{0, 0}, 0x1000000000100000, {0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {0.0000364, 0.0000364}},
    {{83.7249, -92.4194}, 0x5020b7a8a7100000, {2, 8, 1, 0, 5, 11, 13, 4, 5, 3, 8}, {83.7248669, -92.4191111}},
    {{48.8584, 2.2945}, 0x47e66fe1f3700000, {2, 3, 15, 3, 3, 7, 15, 0, 15, 9, 11}, {48.8583697, 2.2944713}},
    {{-33.8568, 151.2153}, 0x6b12ae6690700000, {3, 5, 8, 9, 5, 7, 3, 3, 4, 8, 3}, {-33.8567643, 151.2152985}},
    {{40.7484, -73.9857},
     0x89c259a9a9700000,
     {4, 4, 14, 1, 2, 12, 13, 4, 13, 4, 11},
     {40.7484190, -73.9857118}},
    {{-34.6037, -58.3816},
     0x95bccacf15500000,
     {4, 10, 13, 14, 6, 5, 6, 7, 8, 10, 10},
     {-34.6037456, -58.3816290}},
    {{35.6586, 139.7454},
     0x60188bbd9a700000,
     {3, 0, 0, 12, 4, 5, 13, 14, 12, 13, 3},
     {35.6585575, 139.7453643}},
    {{-1.2864, 36.8172}, 0x182f10d0f4f00000, {0, 12, 1, 7, 8, 8, 6, 8, 7, 10, 7}, {-1.2864246, 36.8171627}},
    {{90, 0}, 0x5000000000100000, {2, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {89.9999485, -135}},
    {{-90, 0}, 0xb000000000100000, {5, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {-89.9999485, 45}},
    {{-17, 180}, 0x6e1fdf561d500000, {3, 7, 0, 15, 14, 15, 10, 11, 0, 14, 10}, {-17, 179.9999636}},
    {{-17, -180}, 0x71e020a9e2b00000, {3, 8, 15, 0, 1, 0, 5, 4, 15, 1, 5}, {-17, -179.9999636}},
};

TEST(GeoToken, AgreesWithTheReferenceVectors) {
  for (const Vector& v : kVectors) {
    const uint64_t id = S2CellIdOf(v.place, 20);
    EXPECT_EQ(id, v.id) << v.place.lat_deg;
    EXPECT_EQ(GeoTokens(id), v.tokens) << v.place.lat_deg;
    EXPECT_EQ(S2FromGeoTokens(v.tokens), v.id);
    const LatLon centre = S2Centre(id);
    EXPECT_NEAR(centre.lat_deg, v.centre.lat_deg, v.place.lat_deg == -17 ? 1e-4 : 6e-8);
    EXPECT_NEAR(centre.lon_deg, v.centre.lon_deg, 6e-8);
  }
}

TEST(GeoToken, PrefixesNameAncestorsAndOtherGroupSizesRoundTrip) {
  const uint64_t id = kVectors[2].id;
  EXPECT_EQ(S2FromGeoTokens({2, 3, 15, 3}), S2Parent(id, 6));
  EXPECT_EQ(GeoTokens(id, 4),
            (std::vector<int>{2, 3 * 16 + 15, 3 * 16 + 3, 7 * 16 + 15, 0 * 16 + 15, 9 * 16 + 11}));
  for (int group : {1, 2, 4, 5, 10}) EXPECT_EQ(S2FromGeoTokens(GeoTokens(id, group), group), id) << group;
}

TEST(S2Token, AgreesWithTheIsnVectors) {
  EXPECT_EQ(S2Token(S2CellIdOf({47.217578, 7.542092}, 12)), "4791d7f");
  EXPECT_EQ(S2Token(S2CellIdOf({39.950477, -75.157535}, 12)), "89c6c63");
  EXPECT_EQ(S2Token(S2CellIdOf({-34.580365, -58.425464}, 12)), "95bcb59");
  EXPECT_EQ(S2Token(S2CellIdOf({48.8584, 2.2945}, 30)), "47e66fe1f36a36a5");
  EXPECT_EQ(S2Token(S2CellIdOf({48.8584, 2.2945}, 10)), "47e66f");
}

// A photograph of Odesa and the cells of the published partitions that hold it.
TEST(S2Token, NamesTheAncestorsOfAPlace) {
  const uint64_t leaf = S2CellIdOf({46.478536, 30.758714});
  for (const char* token : {"40d", "40c4"}) {
    const uint64_t cell = S2FromToken(token);
    EXPECT_EQ(S2Token(S2Parent(leaf, S2Level(cell))), token);
  }
}

TEST(S2Token, ReadsBackWhatItWritesAndRefusesOtherText) {
  for (const Vector& v : kVectors) EXPECT_EQ(S2FromToken(S2Token(v.id)), v.id);
  EXPECT_EQ(S2FromToken("4791D7F"), S2FromToken("4791d7f"));
  for (const char* bad : {"", "X", "g1", "0", "4791d7e", "47e66fe1f36a36a50", "ffff", " 47"}) {
    EXPECT_THROW(S2FromToken(bad), Error) << bad;
  }
}

TEST(S2Cell, FamilyRelationsFollowTheBitLayout) {
  const uint64_t id = S2CellIdOf({48.8584, 2.2945}, 10);
  EXPECT_EQ(S2Level(id), 10);
  const int shift = 61 - 2 * 11;  // position of a child's two bits
  for (uint64_t k = 0; k < 4; ++k) {
    const uint64_t expected =
        ((id >> (shift + 2)) << (shift + 2)) + (k << shift) + (uint64_t{1} << (shift - 1));
    EXPECT_EQ(S2Child(id, static_cast<int>(k)), expected);
    EXPECT_EQ(S2Parent(expected, 10), id);
  }
  EXPECT_EQ(S2FirstLeaf(id), S2FirstLeaf(S2Child(id, 0)));
  EXPECT_EQ(S2LastLeaf(id), S2LastLeaf(S2Child(id, 3)));
  EXPECT_EQ(S2Level(S2FirstLeaf(id)), 30);
  EXPECT_FALSE(S2IsValid(0));
  EXPECT_FALSE(S2IsValid(0xe000000000000000));  // face 7
}

TEST(S2Cell, CornersSurroundTheCentre) {
  const uint64_t id = S2CellIdOf({10, 20}, 4);
  const std::vector<LatLon> corners = S2Corners(id);
  ASSERT_EQ(corners.size(), 4u);
  for (LatLon c : corners) {
    EXPECT_GT(HaversineKm(c, S2Centre(id)), 581.0 / 2);  // half of the average edge at this level
    EXPECT_LT(HaversineKm(c, S2Centre(id)), 971.0);      // the longest diagonal
  }
}

}  // namespace
}  // namespace graticule
