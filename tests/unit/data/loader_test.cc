#include "data/loader/loader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/loader/order.h"
#include "tests/unit/data/loader_fixture.h"

namespace graticule {
namespace {

using namespace loader_fixture;

// The whole chain spelled out: order, replacement, crop keyed by position.
TEST(Loader, SampleIsWhatItsKeySays) {
  auto data = std::make_shared<FakeImages>(30);
  data->broken_ = {11, 12};
  const LoaderOptions options = Options(10);
  auto loader = Loader::Create(data, options);
  JpegDecoder decoder;
  Cropper cropper(options.augment);
  int64_t replaced = 0;
  for (int64_t t = 0; t < 6; ++t) {
    const Batch* b = loader->Next();
    for (int64_t i = 0; i < 10; ++i) {
      const int64_t epoch = t / 3, position = t % 3 * 10 + i;
      int64_t record = KeyedOrder(30, 77, static_cast<uint64_t>(epoch)).At(position);
      if (record == 11 || record == 12) {
        record = 13;
        ++replaced;
      }
      ASSERT_EQ(b->position[i], position);
      ASSERT_EQ(b->record[i], record);
      Image image;
      decoder.Decode(data->jpegs_[record], {}, image);
      Rng rng(77, {.epoch = static_cast<uint64_t>(epoch),
                   .index = static_cast<uint64_t>(position),
                   .purpose = Purpose::kCrop});
      std::vector<uint8_t> expected(16 * 16 * 3);
      cropper.Crop(image, rng, expected.data());
      ASSERT_EQ(std::memcmp(expected.data(), b->images_BVHWC + i * 16 * 16 * 3, expected.size()), 0);
    }
  }
  EXPECT_EQ(replaced, 4);
  EXPECT_EQ(loader->stats().bad_records, 2);
  ASSERT_EQ(loader->quarantine().size(), 2u);
  EXPECT_EQ(loader->quarantine()[0].reason, "checksum");
  EXPECT_EQ(loader->stats().images, 60);
  EXPECT_EQ(loader->order_name(), "feistel-v1");
}

TEST(Loader, EvaluationCoversEveryRecordOnceAndPads) {
  auto data = std::make_shared<FakeImages>(21);
  data->broken_ = {9};
  std::multiset<int64_t> records;
  int64_t padding = 0;
  for (int rank = 0; rank < 3; ++rank) {
    LoaderOptions options = Options(9, rank, 3);
    options.shuffle = options.drop_last = false;
    options.augment.kind = "centre_crop";
    auto loader = Loader::Create(data, options);
    EXPECT_EQ(loader->batches_per_epoch(), 3);
    for (int t = 0; t < 3; ++t) {
      const Batch* b = loader->Next();
      ASSERT_NE(b, nullptr);
      for (int64_t i = 0; i < b->size; ++i) {
        const int64_t position = t * 9 + rank * 3 + i;
        if (position >= 21 || position == 9) {
          EXPECT_EQ(b->position[i], -1);
          EXPECT_EQ(b->record[i], -1);
          EXPECT_EQ(b->climate[i], -1);
          EXPECT_TRUE(std::isnan(b->places[i].lat_deg));
          EXPECT_TRUE(std::isnan(b->aux_B6[6 * i]));
          EXPECT_EQ(b->images_BVHWC[i * 16 * 16 * 3], 0);
          ++padding;
        } else {
          EXPECT_EQ(b->position[i], position);
          records.insert(b->record[i]);
        }
      }
    }
    EXPECT_EQ(loader->Next(), nullptr);
    EXPECT_EQ(loader->Next(), nullptr);
    loader->Seek(0, 2);
    EXPECT_NE(loader->Next(), nullptr);
    EXPECT_EQ(loader->Next(), nullptr);
  }
  EXPECT_EQ(records.size(), 20u);
  EXPECT_EQ(std::set<int64_t>(records.begin(), records.end()).size(), 20u);
  EXPECT_EQ(padding, 7);
}

TEST(Loader, CodesAreShiftedAndMissingOnesMasked) {
  auto data = std::make_shared<FakeImages>(64);
  LoaderOptions options = Options(64);
  options.shuffle = false;
  const Batch* b = nullptr;
  auto loader = Loader::Create(data, options);
  b = loader->Next();
  EXPECT_EQ(b->climate[0], -1);  // code 0: no data
  EXPECT_EQ(b->climate[1], 0);
  EXPECT_EQ(b->climate[30], 29);
  EXPECT_EQ(b->climate[31], -1);  // code 255
  EXPECT_EQ(b->month[0], -1);
  EXPECT_EQ(b->month[12], 11);
  EXPECT_EQ(b->month[13], -1);
  EXPECT_EQ(b->aux_B6[6 * 7 + 2], 72.0f);
  EXPECT_EQ(b->places[7], (LatLon{1.75, -3.5}));
}

TEST(Loader, UndecodableImagesCountAsBad) {
  auto data = std::make_shared<FakeImages>(12);
  data->jpegs_[2] = {1, 2, 3};
  data->jpegs_[7].resize(data->jpegs_[7].size() / 2);
  LoaderOptions options = Options(12);
  options.shuffle = false;
  auto loader = Loader::Create(data, options);
  const Batch* b = loader->Next();
  EXPECT_EQ(b->record, (std::vector<int64_t>{0, 1, 3, 3, 4, 5, 6, 8, 8, 9, 10, 11}));
  EXPECT_EQ(loader->stats().bad_records, 2);
}

TEST(Loader, TooManyBadRecordsStopTheRun) {
  auto data = std::make_shared<FakeImages>(40);
  data->broken_ = {1, 5, 6, 30};
  LoaderOptions options = Options(8);
  options.shuffle = false;
  options.max_bad = 3;
  auto loader = Loader::Create(data, options);
  for (int t = 0; t < 3; ++t) EXPECT_NE(loader->Next(), nullptr);
  for (int again = 0; again < 2; ++again) {
    try {
      loader->Next();
      FAIL() << "the fourth bad record lies in this batch";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      EXPECT_EQ(error.where(), "fake[30]");
      EXPECT_NE(error.message().find("4 bad records, expected at most 3"), std::string::npos);
    }
  }
}

TEST(Loader, InputErrorsAreNeverReplaced) {
  auto data = std::make_shared<FakeImages>(16);
  data->io_error_ = 3;
  LoaderOptions options = Options(8);
  options.shuffle = false;
  EXPECT_THROW(Loader::Create(data, options)->Next(), Error);
}

TEST(Loader, ImpossibleOptionsAreRefused) {
  auto data = std::make_shared<FakeImages>(10);
  EXPECT_THROW(Loader::Create(data, Options(11)), Error);       // no full batch
  EXPECT_THROW(Loader::Create(data, Options(2, 0, 3)), Error);  // ranks without a sample
  EXPECT_THROW(Loader::Create(data, Options(2, 2, 2)), Error);
  EXPECT_THROW(Loader::Create(std::make_shared<FakeImages>(0), Options(1)), Error);
  LoaderOptions options = Options(2);
  options.augment.filter = "lanczos";
  EXPECT_THROW(Loader::Create(data, options), Error);
}

TEST(Loader, ViewsOfOneImageAreCroppedApart) {
  auto data = std::make_shared<FakeImages>(8);
  LoaderOptions options = Options(4);
  options.views = 2;
  auto loader = Loader::Create(data, options);
  const Batch* b = loader->Next();
  const size_t image = 16 * 16 * 3;
  for (int64_t i = 0; i < 4; ++i) {
    const uint8_t* views = b->images_BVHWC + 2 * image * i;
    EXPECT_NE(std::memcmp(views, views + image, image), 0);
  }
}

// A batch stays untouched while it is lent, however far the workers could run ahead.
TEST(Loader, LentBatchIsNotOverwritten) {
  auto data = std::make_shared<FakeImages>(64);
  LoaderOptions options = Options(4, 0, 1, 4);
  options.depth = 3;
  auto loader = Loader::Create(data, options);
  const Batch* first = loader->Next();
  const std::vector<int64_t> records = first->record;
  const std::vector<uint8_t> images(first->images_BVHWC, first->images_BVHWC + 4 * 16 * 16 * 3);
  const Batch* second = loader->Next();
  EXPECT_NE(first, second);
  // The workers fill the third slot and then have nowhere to go. Were the two lent ones taken for free, they
  // would read on: a twentieth of a second is time for hundreds of such images.
  while (data->reads_ < 12) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(data->reads_, 12);
  EXPECT_EQ(first->record, records);
  EXPECT_EQ(std::memcmp(first->images_BVHWC, images.data(), images.size()), 0);
  loader->Release(first);
  loader->Release(second);
  EXPECT_NE(loader->Next(), nullptr);
}

}  // namespace
}  // namespace graticule
