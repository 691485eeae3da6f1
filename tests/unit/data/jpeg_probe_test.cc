#include "data/image/jpeg_probe.h"

#include <gtest/gtest.h>

#include "data/record.h"
#include "tests/unit/data/make_jpeg.h"

namespace graticule {
namespace {

TEST(JpegProbe, ReadsSizeAndKind) {
  const auto plain = ProbeJpeg(MakeJpeg(33, 21));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->width, 33);
  EXPECT_EQ(plain->height, 21);
  EXPECT_EQ(plain->flags, 0);
  EXPECT_EQ(ProbeJpeg(MakeJpeg(8, 8, {.components = 1}))->flags, kGray);
  EXPECT_EQ(ProbeJpeg(MakeJpeg(8, 8, {.components = 4}))->flags, kCmyk);
  EXPECT_EQ(ProbeJpeg(MakeJpeg(8, 8, {.progressive = true}))->flags, kProgressive);
}

TEST(JpegProbe, ReadsExifOrientationAndPlace) {
  const auto upright = ProbeJpeg(WithExif(MakeJpeg(8, 8), 1));
  EXPECT_EQ(upright->flags, 0);
  EXPECT_FALSE(upright->exif_place);
  const auto turned = ProbeJpeg(WithExif(MakeJpeg(8, 8), 6, -34 * 60 - 30, 151 * 60 + 15));
  ASSERT_TRUE(turned);
  EXPECT_EQ(turned->flags, kNeedsRotation);
  EXPECT_EQ(turned->exif_orientation, 6);
  ASSERT_TRUE(turned->exif_place);
  EXPECT_DOUBLE_EQ(turned->exif_place->lat_deg, -34.5);
  EXPECT_DOUBLE_EQ(turned->exif_place->lon_deg, 151.25);
  EXPECT_EQ(ProbeJpeg(WithExif(MakeJpeg(8, 8), 9))->exif_orientation, 1);  // no such orientation
}

TEST(JpegProbe, FlagsACutImageAndRefusesACutHeader) {
  const std::vector<uint8_t> whole = MakeJpeg(64, 64);
  const std::span<const uint8_t> bytes(whole);
  EXPECT_EQ(ProbeJpeg(bytes.first(whole.size() - 10))->flags, kTruncated);
  std::string why;
  EXPECT_FALSE(ProbeJpeg(bytes.first(100), &why));
  EXPECT_FALSE(why.empty());
  EXPECT_FALSE(ProbeJpeg(bytes.first(0), &why));
  EXPECT_EQ(why, "empty file");
  const std::vector<uint8_t> text(200, 'a');
  EXPECT_FALSE(ProbeJpeg(text, &why));
  EXPECT_EQ(why, "not a JPEG");
}

TEST(JpegProbe, TakesTheFirstImageOfSeveral) {
  std::vector<uint8_t> two = MakeJpeg(40, 30);
  const std::vector<uint8_t> second = MakeJpeg(10, 10);
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(ProbeJpeg(two)->width, 40);
  EXPECT_EQ(ProbeJpeg(two)->flags, 0);
}

TEST(JpegProbe, SurvivesAnyDamageToTheHeader) {
  const std::vector<uint8_t> whole = WithExif(MakeJpeg(16, 16), 6, 100, 100);
  for (size_t at = 0; at < std::min<size_t>(whole.size(), 700); ++at) {
    for (const uint8_t value : {0x00, 0xFF, 0x7F}) {
      std::vector<uint8_t> damaged = whole;
      damaged[at] = value;
      ProbeJpeg(damaged);  // may fail, must return
    }
  }
}

}  // namespace
}  // namespace graticule
