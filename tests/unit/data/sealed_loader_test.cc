#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/loader/loader.h"
#include "tests/unit/data/jpeg_samples.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

// From sealed shards to batches: every row shows its record's image, place and labels, and two records whose
// bytes are no images (one after the other, across a shard's end) are replaced.
TEST(Loader, StreamsASealedDataset) {
  const TemporaryFolder folder;
  Dictionaries dictionaries;
  DatasetWriter writer(PosixFs(), folder / "set",
                       {.dataset = "tiny", .split = "train", .records_per_shard = 8}, dictionaries);
  const auto jpeg = [](int64_t i) { return SampleJpeg(50, 40, static_cast<int>(i)); };
  for (int64_t i = 0; i < 20; ++i) {
    writer.Append("rec-" + std::to_string(i), i == 7 || i == 8 ? TinyImage(i) : jpeg(i), {50, 40, 0},
                  TinyRow(i));
  }
  writer.Finish();
  const auto dataset = Dataset::Open({folder / "set"});
  LoaderOptions options;
  options.global_batch = 10;
  options.shuffle = false;
  options.threads = 3;
  options.augment.image_size = 24;
  options.augment.kind = "centre_crop";
  auto loader = Loader::Create(dataset, options);
  JpegDecoder decoder;
  Cropper cropper(options.augment);
  for (int64_t t = 0; t < 2; ++t) {
    const Batch* b = loader->Next();
    for (int64_t i = 0; i < 10; ++i) {
      const int64_t asked = 10 * t + i, record = asked == 7 || asked == 8 ? 9 : asked;
      ASSERT_EQ(b->record[i], record);
      ASSERT_EQ(b->places[i].lat_deg, -60.0 + static_cast<double>(record));
      ASSERT_EQ(b->climate[i], record % 3 == 0 ? -1 : record % 30);
      ASSERT_EQ(b->month[i], record % 12);
      Image image;
      decoder.Decode(jpeg(record), {}, image);
      std::vector<uint8_t> expected(24 * 24 * 3);
      Rng unused(0, {});
      cropper.Crop(image, unused, expected.data());
      ASSERT_EQ(std::memcmp(expected.data(), b->images_BVHWC + i * 24 * 24 * 3, expected.size()), 0);
    }
  }
  EXPECT_EQ(loader->stats().bad_records, 2);
}

}  // namespace
}  // namespace graticule
