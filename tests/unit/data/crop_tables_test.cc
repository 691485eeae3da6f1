#include "data/image/crop_tables.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "data/cuda/crop_resize.h"
#include "data/image/augment.h"

namespace graticule {
namespace {

Image Noise(int width, int height) {
  Image image;
  image.Reset(width, height);
  uint32_t seed = static_cast<uint32_t>(width * 8191 + height);
  for (uint8_t& byte : image.rgb) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(seed >> 24);
  }
  return image;
}

// What the kernels do, one pixel after the other.
std::vector<uint8_t> ByTables(const Image& image, const CropTables& tables, size_t crop) {
  const CropTable& table = tables.crops()[crop];
  std::vector<uint8_t> scratch(size_t{3} * table.rows * table.width, 0xAA);
  std::vector<uint8_t> out(size_t{3} * table.height * table.width, 0xAA);
  const CropTask task = TaskOf(table, tables.words().data(), image.rgb.data(), ptrdiff_t{3} * image.width,
                               scratch.data(), out.data());
  for (int p = 0; p < table.rows * table.width; ++p) CropAcross(task, p);
  for (int p = 0; p < table.height * table.width; ++p) CropDown(task, p);
  return out;
}

std::vector<uint8_t> ByResizer(const Image& image, const ResizePlan& plan, Filter filter) {
  std::vector<uint8_t> out(size_t{3} * plan.window.height * plan.window.width);
  Resizer().Resize(image.view(), plan, filter, out.data());
  return out;
}

// Resizer is Pillow's to the byte (tests/parity/image_test.py).
TEST(CropTables, GiveTheBytesOfTheResizerWhateverTheShape) {
  int shapes = 0;
  for (const int width : {1, 3, 31, 97, 640, 1023}) {
    for (const int height : {1, 2, 64, 481}) {
      const Image image = Noise(width, height);
      for (const int side : {1, 17, 224}) {
        const int x = width / 3, y = height / 4;
        const ResizePlan part{{x, y, width - x, height - y - height / 5},
                              side,
                              side + 3,
                              {side / 5, side / 3, side - side / 5, side - side / 3}};
        const ResizePlan centre = PlanCentreCrop(width, height, side);
        for (const Filter filter : {Filter::kBilinear, Filter::kBicubic}) {
          CropTables tables;  // several crops of one image share a buffer
          tables.Add(part, filter);
          tables.Add(centre, filter);
          ASSERT_EQ(ByTables(image, tables, 0), ByResizer(image, part, filter))
              << width << " x " << height << " -> " << side;
          ASSERT_EQ(ByTables(image, tables, 1), ByResizer(image, centre, filter))
              << width << " x " << height << " -> centre " << side;
          ++shapes;
        }
      }
    }
  }
  EXPECT_EQ(shapes, 6 * 4 * 3 * 2);
}

TEST(CropTables, AMirroredCropIsTheCropReadFromTheRight) {
  const Image image = Noise(300, 200);
  ResizePlan plan = PlanCentreCrop(300, 200, 64);
  const std::vector<uint8_t> upright = ByResizer(image, plan, Filter::kBicubic);
  plan.mirror = true;
  CropTables tables;
  tables.Add(plan, Filter::kBicubic);
  const std::vector<uint8_t> mirrored = ByTables(image, tables, 0);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      for (int c = 0; c < 3; ++c)
        ASSERT_EQ(mirrored[3 * (64 * y + x) + c], upright[3 * (64 * y + 63 - x) + c]);
    }
  }
}

TEST(CropTables, StartAnewWhenCleared) {
  CropTables tables;
  tables.Add(PlanCentreCrop(50, 40, 8), Filter::kBicubic);
  tables.Clear();
  EXPECT_TRUE(tables.crops().empty());
  EXPECT_TRUE(tables.words().empty());
  tables.Add(PlanCentreCrop(90, 70, 16), Filter::kBilinear);
  const Image image = Noise(90, 70);
  EXPECT_EQ(ByTables(image, tables, 0), ByResizer(image, PlanCentreCrop(90, 70, 16), Filter::kBilinear));
}

}  // namespace
}  // namespace graticule
