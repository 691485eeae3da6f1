// For tests of the loader: a dataset of small images in memory, options for it, and what a loader served, by
// position.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/loader/loader.h"
#include "tests/unit/data/jpeg_samples.h"

namespace graticule::loader_fixture {

// Small images in memory; chosen records are bad in chosen ways.
class FakeImages : public Dataset {
 public:
  explicit FakeImages(int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      jpegs_.push_back(SampleJpeg(40 + static_cast<int>(i % 7), 36, static_cast<int>(i)));
  }
  int64_t size() const override { return static_cast<int64_t>(jpegs_.size()); }
  LatLon place(int64_t record) const override { return {record * 0.25, -record * 0.5}; }
  RecordMeta meta(int64_t record) const override {
    RecordMeta meta;
    meta.place = place(record);
    meta.climate = static_cast<uint8_t>(record % 32 == 31 ? 255 : record % 32);
    meta.month = static_cast<uint8_t>(record % 13);
    for (int k = 0; k < kAuxColumnCount; ++k) meta.aux[k] = static_cast<float>(record * 10 + k);
    return meta;
  }
  std::string id(int64_t record) const override { return std::to_string(record); }
  uint32_t image_bytes(int64_t record) const override { return static_cast<uint32_t>(jpegs_[record].size()); }
  void ReadImage(int64_t record, std::vector<uint8_t>& out) const override {
    ++reads_;
    if (broken_.contains(record)) throw BadRecord{record, "checksum"};
    if (record == io_error_) throw Error(ErrorCode::kData, "input/output error");
    out = jpegs_[record];
  }
  RecordKeys keys(int64_t record) const override {
    return {.place = static_cast<uint64_t>(record / 4),
            .author = static_cast<uint64_t>(record % 5),
            .sequence = 0};
  }
  RecordAddress Address(int64_t record) const override { return {0, 0, record}; }
  std::vector<DatasetFolder> folders() const override {
    std::vector<DatasetFolder> two(2);
    two[0].size = 20;
    two[1].size = size() - 20;
    return two;
  }
  std::string Locate(int64_t record) const override { return "fake[" + std::to_string(record) + "]"; }
  std::string Sha256() const override { return ""; }
  double Coverage(const std::string&) const override { return 1; }

  std::vector<std::vector<uint8_t>> jpegs_;
  std::set<int64_t> broken_;
  int64_t io_error_ = -1;
  mutable std::atomic<int64_t> reads_ = 0;
};

inline LoaderOptions Options(int64_t global_batch, int rank = 0, int world_size = 1, int threads = 2) {
  LoaderOptions options;
  options.seed = 77;
  options.global_batch = global_batch;
  options.rank = rank;
  options.world_size = world_size;
  options.threads = threads;
  options.augment.image_size = 16;
  options.augment.scale_min = 0.3;
  return options;
}

struct Row {
  int64_t record;
  LatLon place;
  int32_t climate, month;
  std::vector<float> aux;
  std::vector<uint8_t> image;
  std::vector<uint64_t> keys;
  bool operator==(const Row&) const = default;
};

// The next `batches` batches, by (sequence of the batch, global position).
inline void Collect(Loader& loader, int64_t batches, std::map<std::pair<int64_t, int64_t>, Row>& out,
                    int64_t first = 0) {
  for (int64_t t = first; t < first + batches; ++t) {
    const Batch* b = loader.Next();
    ASSERT_NE(b, nullptr);
    const int64_t bytes = b->views * b->image_size * b->image_size * 3;
    for (int64_t i = 0; i < b->size; ++i) {
      Row row{b->record[i],
              b->places[i],
              b->climate[i],
              b->month[i],
              {b->aux_B6.begin() + 6 * i, b->aux_B6.begin() + 6 * i + 6},
              {b->images_BVHWC + bytes * i, b->images_BVHWC + bytes * (i + 1)},
              {}};
      if (!b->keys.empty()) row.keys = {b->keys[i].place, b->keys[i].author, b->keys[i].sequence};
      ASSERT_TRUE(out.emplace(std::pair{t, b->position[i]}, std::move(row)).second)
          << "a position came twice";
    }
    loader.Release(b);
  }
}

}  // namespace graticule::loader_fixture
