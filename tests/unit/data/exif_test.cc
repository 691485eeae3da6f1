#include "data/image/exif.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace graticule {
namespace {

// A JPEG that consists of its start and one APP1 segment with the given TIFF block.
std::vector<uint8_t> WithTiff(std::vector<uint8_t> tiff) {
  const size_t length = 2 + 6 + tiff.size();
  std::vector<uint8_t> out = {
      0xFF, 0xD8, 0xFF, 0xE1, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
  for (const char c : {'E', 'x', 'i', 'f', '\0', '\0'}) out.push_back(static_cast<uint8_t>(c));
  for (const uint8_t byte : tiff) out.push_back(byte);
  for (const int byte : {0xFF, 0xDA, 0x00, 0x02}) out.push_back(static_cast<uint8_t>(byte));
  return out;
}

const std::vector<uint8_t> kLittle = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12,
                                      1,   3,   0,  1, 0, 0, 0, 6, 0, 0, 0};
const std::vector<uint8_t> kBig = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0};

TEST(Exif, ReadsTheTagInBothByteOrders) {
  EXPECT_EQ(ExifOrientation(WithTiff(kLittle)), 6);
  EXPECT_EQ(ExifOrientation(WithTiff(kBig)), 8);
}

TEST(Exif, UprightWhenTheTagMakesNoSense) {
  EXPECT_EQ(ExifOrientation({}), 1);
  std::vector<uint8_t> tiff = kLittle;
  tiff[18] = 9;  // no such orientation
  EXPECT_EQ(ExifOrientation(WithTiff(tiff)), 1);
  tiff = kLittle;
  tiff[4] = 200;  // the directory lies outside
  EXPECT_EQ(ExifOrientation(WithTiff(tiff)), 1);
  tiff = kLittle;
  tiff[4] = tiff[5] = tiff[6] = tiff[7] = 0xFF;
  EXPECT_EQ(ExifOrientation(WithTiff(tiff)), 1);
  tiff = kLittle;
  tiff[12] = 4;  // a LONG, expected SHORT
  EXPECT_EQ(ExifOrientation(WithTiff(tiff)), 1);
}

TEST(Exif, EveryPrefixOfAFileIsReadWithoutHarm) {
  const std::vector<uint8_t> whole = WithTiff(kLittle);
  for (size_t size = 0; size < whole.size() - 4; ++size) {
    const std::vector<uint8_t> prefix(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(ExifOrientation(prefix), 1);
  }
}

// The eight pictures of the letter F with the corners a b / c d of the stored image, as the standard defines
// them: where row 0 and column 0 of the stored image are on the screen.
TEST(Exif, CornersLandWhereTheStandardSays) {
  Image stored, turned;
  stored.Reset(2, 2);
  const std::string corners = "abcd";
  for (int i = 0; i < 4; ++i) {
    for (int c = 0; c < 3; ++c) stored.rgb[3 * i + c] = static_cast<uint8_t>(corners[i]);
  }
  const char* expected[] = {"abcd", "badc", "dcba", "cdab", "acbd", "cadb", "dbca", "bdac"};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    ApplyOrientation(stored, orientation, turned);
    std::string shown;
    for (int i = 0; i < 4; ++i) shown += static_cast<char>(turned.rgb[3 * i]);
    EXPECT_EQ(shown, expected[orientation - 1]) << "orientation " << orientation;
  }
}

}  // namespace
}  // namespace graticule
