// A device made of the CPU's own parts stands for a GPU: batches must be those of the CPU, byte for byte.
#include "data/loader/device_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/cuda/crop_resize.h"
#include "data/image/jpeg_decode.h"
#include "data/loader/loader.h"
#include "tests/unit/data/jpeg_samples.h"
#include "tests/unit/data/make_jpeg.h"

namespace graticule {
namespace {

enum Kind { kPlain, kFull, kProgressive, kGray, kCmyk, kTurned, kCutOff, kNoise, kNoJpeg, kKinds };

bool IsBad(int64_t record) { return record % kKinds == kCutOff || record % kKinds == kNoJpeg; }

std::vector<uint8_t> FileOf(int64_t record) {
  const int width = 40 + static_cast<int>(record % 13), height = 36, seed = static_cast<int>(record);
  switch (record % kKinds) {
    case kFull:
      return SampleJpeg(width, height, seed, 95, false, {.h = 1, .v = 1});
    case kProgressive:
      return SampleJpeg(width, height, seed, 95, true);
    case kGray:
      return SampleJpeg(width, height, seed, 95, false, {.gray = true});
    case kCmyk:
      return MakeJpeg(width, height, {.components = 4}, seed);
    case kTurned:
      return WithExif(SampleJpeg(width, height, seed), 6);
    case kCutOff: {
      std::vector<uint8_t> half = SampleJpeg(width, height, seed);
      half.resize(half.size() / 2);
      return half;
    }
    case kNoJpeg:
      return {'n', 'o', 't', ' ', 'a', ' ', 'J', 'P', 'E', 'G'};
    case kNoise: {  // the end marker is there, what is between is not what was written
      std::vector<uint8_t> damaged = SampleJpeg(width, height, seed);
      for (size_t i = damaged.size() - 60; i < damaged.size() - 40; ++i) damaged[i] ^= 0x15;
      return damaged;
    }
    default:
      return SampleJpeg(width, height, seed);
  }
}

class KindsDataset final : public Dataset {
 public:
  explicit KindsDataset(int64_t n) {
    for (int64_t i = 0; i < n; ++i) files_.push_back(FileOf(i));
  }
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  LatLon place(int64_t) const override { return {}; }
  RecordMeta meta(int64_t) const override { return {}; }
  std::string id(int64_t record) const override { return std::to_string(record); }
  uint32_t image_bytes(int64_t record) const override { return static_cast<uint32_t>(files_[record].size()); }
  void ReadImage(int64_t record, std::vector<uint8_t>& out) const override {
    if (record == checksum_) throw BadRecord{record, "checksum"};
    if (record == io_error_) throw Error(ErrorCode::kData, "input/output error");
    out = files_[record];
  }
  RecordKeys keys(int64_t) const override { return {}; }
  RecordAddress Address(int64_t record) const override { return {0, 0, record}; }
  std::vector<DatasetFolder> folders() const override { return {}; }
  std::string Locate(int64_t record) const override { return id(record); }
  std::string Sha256() const override { return ""; }
  double Coverage(const std::string&) const override { return 0; }

  std::vector<std::vector<uint8_t>> files_;
  int64_t checksum_ = -1, io_error_ = -1;
};

class CpuDevice final : public JpegDevice {
 public:
  struct OneThread final : Session {
    explicit OneThread(CpuDevice& owner) : device(owner) {}
    void Decode(std::span<DeviceJpeg> jpegs, const CropTables& tables) override {
      for (DeviceJpeg& jpeg : jpegs) {
        ++device.asked_;
        const JpegInfo info = decoder.Decode(jpeg.bytes, {}, image);
        ASSERT_TRUE(info.components == 3 && !info.progressive);
        ASSERT_EQ((std::vector{info.width, info.height}), (std::vector{jpeg.width, jpeg.height}));
        uint8_t* out = jpeg.out;
        for (const CropTable& crop : tables.crops().subspan(jpeg.first_crop, jpeg.crops)) {
          std::vector<uint8_t> scratch(size_t{3} * crop.rows * crop.width);
          const CropTask task = TaskOf(crop, tables.words().data(), image.rgb.data(),
                                       ptrdiff_t{3} * image.width, scratch.data(), out);
          for (int p = 0; p < crop.rows * crop.width; ++p) CropAcross(task, p);
          for (int p = 0; p < crop.height * crop.width; ++p) CropDown(task, p);
          for (int b = 0; b < 3 * crop.height * crop.width; ++b) *out++ ^= device.stain_;
        }
        jpeg.done = jpeg.width % 3 != device.refused_;
        if (!jpeg.done) std::fill(jpeg.out, out, uint8_t{0xEE});  // as hardware that skipped it would
      }
    }
    CpuDevice& device;
    JpegDecoder decoder;
    Image image;
  };
  std::unique_ptr<Session> NewSession() override {
    if (missing_) throw Error(ErrorCode::kUsage, "no device");
    return std::make_unique<OneThread>(*this);
  }
  int refused_ = -1;   // images whose width leaves this remainder by 3
  uint8_t stain_ = 0;  // changes what the device made, so that it can be told apart
  bool missing_ = false;
  std::atomic<int64_t> asked_ = 0;
};

LoaderOptions Options(JpegDevice* device, int threads = 2, int64_t global_batch = 100) {
  LoaderOptions options;
  options.seed = 5;
  options.global_batch = global_batch;
  options.threads = threads;
  options.views = 2;
  options.max_bad = 1000;
  options.augment.image_size = 16;
  options.augment.scale_min = 0.2;
  options.jpeg_device = device;
  return options;
}

struct Row {
  int64_t record;
  std::vector<uint8_t> pixels;
  bool operator==(const Row&) const = default;
};
using Rows = std::vector<Row>;

Rows Collect(Loader& loader, int batches) {
  Rows rows;
  for (int t = 0; t < batches; ++t) {
    const Batch* b = loader.Next();
    if (b == nullptr) break;
    const int64_t bytes = b->views * b->image_size * b->image_size * 3;
    for (int64_t i = 0; i < b->size; ++i)
      rows.push_back({b->record[i], {b->images_BVHWC + bytes * i, b->images_BVHWC + bytes * (i + 1)}});
    loader.Release(b);
  }
  return rows;
}

std::set<int64_t> Bad(const Loader& loader) {
  std::set<int64_t> records;
  for (const BadRecord& bad : loader.quarantine()) records.insert(bad.record);
  return records;
}

TEST(DeviceRows, AreThoseOfTheCpuForEveryKindOfFile) {
  const auto data = std::make_shared<KindsDataset>(200);
  data->checksum_ = 18;  // of kind kPlain
  std::set<int64_t> bad = {18};
  for (int64_t i = 0; i < 200; ++i) {
    if (IsBad(i)) bad.insert(i);
  }
  const Rows expected = Collect(*Loader::Create(data, Options(nullptr)), 4);
  for (const int refused : {-1, 0, 1}) {
    CpuDevice device;
    device.refused_ = refused;
    const auto loader = Loader::Create(data, Options(&device, 3));
    EXPECT_EQ(Collect(*loader, 4), expected) << refused;
    EXPECT_EQ(Bad(*loader), bad);
    EXPECT_GT(device.asked_, 100);
  }
}

LoaderOptions Evaluation(JpegDevice* device) {
  LoaderOptions options = Options(device, 2, 50);
  options.shuffle = options.drop_last = false;
  return options;
}

TEST(DeviceRows, TakeOnlyWhatTheDeviceMadeFromIt) {
  const auto data = std::make_shared<KindsDataset>(200);
  const Rows expected = Collect(*Loader::Create(data, Evaluation(nullptr)), 4);
  CpuDevice device;
  device.stain_ = 0xFF;
  device.refused_ = 2;
  const auto loader = Loader::Create(data, Evaluation(&device));
  const Rows rows = Collect(*loader, 4);
  ASSERT_EQ(rows.size(), 200u);
  int64_t asked = 0, taken = 0;
  for (int64_t i = 0; i < 200; ++i) {
    const auto kind = static_cast<Kind>(i % kKinds);
    const bool handed_over = kind == kPlain || kind == kFull || kind == kNoise;
    const bool made = handed_over && (40 + i % 13) % 3 != 2;
    asked += handed_over;
    taken += made;
    std::vector<uint8_t> pixels = expected[i].pixels;
    for (uint8_t& byte : pixels) byte ^= made ? 0xFF : 0;
    EXPECT_EQ(rows[i].record, IsBad(i) ? -1 : i);
    EXPECT_TRUE(rows[i].pixels == pixels) << i;
  }
  EXPECT_EQ(device.asked_, asked);
  EXPECT_EQ(loader->stats().by_device, taken);
}

TEST(DeviceRows, EvaluationPadsBadRecordsAsTheCpuDoes) {
  const auto data = std::make_shared<KindsDataset>(130);
  CpuDevice device;
  const Rows rows = Collect(*Loader::Create(data, Evaluation(&device)), 4);
  EXPECT_EQ(rows, Collect(*Loader::Create(data, Evaluation(nullptr)), 4));
  ASSERT_EQ(rows.size(), 150u);
  for (int64_t i = 0; i < 150; ++i) EXPECT_EQ(rows[i].record, i >= 130 || IsBad(i) ? -1 : i);
}

TEST(DeviceRows, FailuresOfTheDeviceAndOfReadingReachTheConsumer) {
  const auto data = std::make_shared<KindsDataset>(130);
  CpuDevice device;
  device.missing_ = true;
  EXPECT_THROW(Loader::Create(data, Options(&device))->Next(), Error);
  device.missing_ = false;
  data->io_error_ = 9;
  const auto loader = Loader::Create(data, Options(&device));
  EXPECT_THROW(Collect(*loader, 3), Error);
}

}  // namespace
}  // namespace graticule
