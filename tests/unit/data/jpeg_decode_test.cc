#include "data/image/jpeg_decode.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/unit/data/jpeg_samples.h"

namespace graticule {
namespace {

std::string Refusal(const std::vector<uint8_t>& jpeg, const JpegOptions& options = {}) {
  JpegDecoder decoder;
  Image image;
  try {
    decoder.Decode(jpeg, options, image);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    return error.message();
  }
  return "";
}

TEST(JpegDecoder, GivesBackTheImageThatWasEncoded) {
  JpegDecoder decoder;
  Image image;
  for (const bool progressive : {false, true}) {
    const JpegInfo info = decoder.Decode(SampleJpeg(150, 90, 3, 95, progressive), {}, image);
    EXPECT_EQ(info.progressive, progressive);
    EXPECT_FALSE(info.truncated);
    ASSERT_EQ(image.width, 150);
    ASSERT_EQ(image.height, 90);
    int worst = 0;
    for (int y = 0; y < 90; ++y) {
      for (int x = 0; x < 150; ++x) {
        for (int c = 0; c < 3; ++c) {
          worst = std::max(worst, std::abs(image.rgb[3 * (150 * y + x) + c] - SamplePixel(x, y, c, 3)));
        }
      }
    }
    EXPECT_LE(worst, 12);
  }
}

TEST(JpegDecoder, HeaderIsReadWithoutPixels) {
  JpegDecoder decoder;
  const JpegInfo info = decoder.ReadHeader(SampleJpeg(33, 22, 1, 80, true));
  EXPECT_EQ(info.width, 33);
  EXPECT_EQ(info.height, 22);
  EXPECT_EQ(info.components, 3);
  EXPECT_TRUE(info.progressive);
}

TEST(JpegDecoder, LimitsAreCheckedBeforeWork) {
  const auto jpeg = SampleJpeg(64, 64, 1);
  EXPECT_EQ(Refusal(jpeg, {.limits = {.max_pixels = 64 * 64}}), "");
  EXPECT_NE(Refusal(jpeg, {.limits = {.max_pixels = 64 * 64 - 1}}).find("64 x 64"), std::string::npos);
  EXPECT_NE(Refusal(jpeg, {.limits = {.max_memory = 64 * 64 * 3 - 1}}).find("64 x 64"), std::string::npos);
  const auto progressive = SampleJpeg(64, 64, 1, 80, true);
  EXPECT_NE(Refusal(progressive, {.limits = {.max_scans = 3}}).find("more than 3 scans"), std::string::npos);
  EXPECT_EQ(Refusal(progressive, {.limits = {.max_scans = 10}}), "");  // libjpeg's progression has ten
  EXPECT_NE(Refusal(progressive, {.limits = {.max_scans = 9}}), "");
  // A progressive image holds all coefficients in memory: more than the pixels alone.
  const auto large = SampleJpeg(1024, 1024, 1, 80, true);
  EXPECT_NE(Refusal(large, {.limits = {.max_memory = 1024 * 1024 * 4}}), "");
  EXPECT_EQ(Refusal(large, {.limits = {.max_memory = 1024 * 1024 * 8}}), "");
}

TEST(JpegDecoder, StaysUsableAfterARefusal) {
  JpegDecoder decoder;
  Image image;
  auto jpeg = SampleJpeg(80, 60, 2);
  const std::vector<uint8_t> half(jpeg.begin(), jpeg.begin() + static_cast<ptrdiff_t>(jpeg.size() / 2));
  EXPECT_THROW(decoder.Decode(half, {}, image), Error);
  EXPECT_THROW(decoder.Decode({}, {}, image), Error);
  decoder.Decode(jpeg, {}, image);
  const Image again = image;
  JpegDecoder fresh;
  fresh.Decode(jpeg, {}, image);
  EXPECT_EQ(again.rgb, image.rgb);
}

// Any damage either decodes or is refused; nothing else may happen (run under the sanitizers in CI).
TEST(JpegDecoder, DamagedFilesDecodeOrAreRefused) {
  JpegDecoder decoder;
  Image image;
  uint32_t state = 17;
  int refused = 0, decoded = 0;
  for (const bool progressive : {false, true}) {
    const auto good = SampleJpeg(48, 40, 4, 90, progressive);
    for (int i = 0; i < 400; ++i) {
      auto bad = good;
      for (int k = 0; k < 3; ++k) {
        state = state * 1664525 + 1013904223;
        bad[(state >> 8) % bad.size()] = static_cast<uint8_t>(state >> 3);
      }
      if (i % 5 == 0) bad.resize((state >> 8) % bad.size());
      try {
        decoder.Decode(bad, {.apply_orientation = true, .limits = {.max_pixels = 1 << 20}}, image);
        EXPECT_EQ(image.rgb.size(), size_t{3} * image.width * image.height);
        ++decoded;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kData);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(decoded, 50);
}

// Noise, so that every block and every chroma sample differs from its neighbours.
std::vector<uint8_t> NoisyJpeg(int width, int height, SampleCoding coding, bool progressive = false) {
  coding.noise = true;
  return SampleJpeg(width, height, 1, 60, progressive, coding);
}

const SampleCoding kCodings[] = {{.h = 2, .v = 2}, {.h = 2, .v = 1}, {.h = 1, .v = 1},
                                 {.h = 1, .v = 2}, {.h = 4, .v = 1}, {.h = 2, .v = 2, .restart_rows = 1},
                                 {.gray = true}};

TEST(JpegDecoder, APartHasThePixelsOfTheWhole) {
  JpegDecoder decoder;
  Image whole, part;
  std::mt19937_64 random(5);
  int64_t made = 0, of = 0;
  for (const SampleCoding& coding : kCodings) {
    for (const auto& [width, height] : {std::pair{640, 480}, std::pair{201, 333}, std::pair{37, 21}}) {
      const auto jpeg = NoisyJpeg(width, height, coding);
      decoder.Decode(jpeg, {}, whole);
      for (int trial = 0; trial < 60; ++trial) {
        const int w = 1 + static_cast<int>(random() % width), h = 1 + static_cast<int>(random() % height);
        const Box box{static_cast<int>(random() % (width - w + 1)),
                      static_cast<int>(random() % (height - h + 1)), w, h};
        const JpegInfo info = decoder.Decode(jpeg,
                                             {.part =
                                                  [&](int, int) {
                                                    return JpegPart{box, 1};
                                                  }},
                                             part);
        const Box& shown = info.shown;
        ASSERT_LE(shown.x, box.x);
        ASSERT_LE(shown.y, box.y);
        ASSERT_GE(shown.x + shown.width, box.x + w);
        ASSERT_GE(shown.y + shown.height, box.y + h);
        ASSERT_EQ(part.width, shown.width);
        for (int y = box.y; y < box.y + h; ++y) {
          ASSERT_EQ(std::memcmp(part.view().row(y - shown.y) + 3 * (box.x - shown.x),
                                whole.view().row(y) + 3 * box.x, size_t{3} * w),
                    0)
              << coding.h << "x" << coding.v << " row " << y << " of " << box.x << "," << box.y << " " << w
              << "x" << h;
        }
        made += int64_t{part.width} * part.height;
        of += int64_t{width} * height;
      }
    }
  }
  EXPECT_LT(made, of / 2) << "parts are decoded whole";
}

TEST(JpegDecoder, APartMakesNoFileGoodOrBad) {
  JpegDecoder decoder;
  Image image;
  const auto top = [](int width, int) { return JpegPart{{0, 0, width, 8}, 1}; };
  const auto jpeg = NoisyJpeg(320, 240, {});
  auto cut = jpeg;
  cut.resize(cut.size() - 300);
  EXPECT_THROW(decoder.Decode(cut, {.part = top}, image), Error);
  auto unfinished = jpeg;
  unfinished.resize(unfinished.size() - 2);  // only the end marker is missing: good either way
  EXPECT_EQ(decoder.Decode(unfinished, {.part = top}, image).shown, (Box{0, 0, 320, 240}));
  // Several scans refine each other, and a turned image has its part elsewhere: both are decoded whole.
  EXPECT_EQ(decoder.Decode(NoisyJpeg(320, 240, {}, true), {.part = top}, image).shown, (Box{0, 0, 320, 240}));
}

TEST(JpegDecoder, AReducedPartIsTheMeanOfItsPixels) {
  JpegDecoder decoder;
  Image whole, part;
  const auto jpeg = SampleJpeg(640, 480, 3, 95);  // a gradient: half its size is the mean of four pixels
  decoder.Decode(jpeg, {}, whole);
  for (const int reduce : {2, 4}) {
    const JpegInfo info = decoder.Decode(jpeg,
                                         {.part =
                                              [&](int, int) {
                                                return JpegPart{{101, 63, 400, 333}, reduce};
                                              }},
                                         part);
    ASSERT_EQ(info.reduce, reduce);
    ASSERT_EQ(info.shown.width, part.width * reduce);
    double worst = 0;
    for (int y = 0; y < part.height; ++y) {
      for (int x = 0; x < part.width; ++x) {
        for (int c = 0; c < 3; ++c) {
          double mean = 0;
          for (int dy = 0; dy < reduce; ++dy)
            for (int dx = 0; dx < reduce; ++dx)
              mean +=
                  whole.view().row(info.shown.y + reduce * y + dy)[3 * (info.shown.x + reduce * x + dx) + c];
          worst = std::max(worst, std::abs(mean / (reduce * reduce) - part.view().row(y)[3 * x + c]));
        }
      }
    }
    EXPECT_LT(worst, 6) << reduce;
  }
}

}  // namespace
}  // namespace graticule
