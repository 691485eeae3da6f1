// Groups of JPEGs through a device beside the same crops on the CPU: several sizes and samplings, large ones
// that do not fit together, damaged ones. Prints how far they are apart, in units of 8 bits; a wrong one is
// Error(kBug).
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/image/jpeg_device.h"
#include "tests/unit/data/jpeg_samples.h"

namespace graticule {

inline constexpr int kSide = 224, kViews = 2;
// Inverse DCT and chroma are rounded by other rules; the pictures are smooth.
inline constexpr double kMeanTolerance = 1.0;
inline constexpr int kWorstTolerance = 12;

inline void Expect(bool condition, const std::string& what) {
  if (!condition) throw Error(ErrorCode::kBug, "wrong: " + what);
}

struct File {
  std::vector<uint8_t> bytes;
  int width, height;
  bool damaged = false;
};

inline std::vector<File> Files(int count, int seed) {
  const SampleCoding codings[] = {{.h = 2, .v = 2}, {.h = 1, .v = 1}, {.h = 2, .v = 1}};
  std::vector<File> files;
  for (int i = 0; i < count; ++i) {
    const int width = 256 + 37 * (i % 11), height = 240 + 53 * (i % 7);
    files.push_back({SampleJpeg(width, height, seed + i, 92, false, codings[i % 3]), width, height});
  }
  return files;
}

inline std::vector<ResizePlan> Plans(const File& file, uint64_t index) {
  std::vector<ResizePlan> plans;
  for (uint32_t view = 0; view < kViews; ++view) {
    Rng rng(1, {.epoch = 0, .index = index, .view = view, .purpose = Purpose::kCrop});
    plans.push_back(PlanRandomResizedCrop(file.width, file.height, {.scale_min = 0.1}, rng));
  }
  plans.back().mirror = true;
  return plans;
}

struct Distance {
  double sum = 0;
  int64_t values = 0, done = 0;
  int worst = 0;
};

inline void Compare(const File& file, uint64_t index, const uint8_t* found, Distance& distance) {
  JpegDecoder decoder;
  Cropper cropper({});
  Image image;
  const JpegInfo info = decoder.Decode(file.bytes, {}, image);
  std::vector<uint8_t> expected(size_t{3} * kSide * kSide);
  for (const ResizePlan& plan : Plans(file, index)) {
    cropper.Crop(image, info, plan, expected.data());
    for (size_t k = 0; k < expected.size(); ++k) {
      const int difference = std::abs(expected[k] - *found++);
      distance.sum += difference;
      distance.worst = std::max(distance.worst, difference);
    }
    distance.values += static_cast<int64_t>(expected.size());
  }
}

// One group through the session. A damaged file may take its group along, but no image may come out wrong.
inline Distance Run(JpegDevice::Session& session, const std::vector<File>& files) {
  const size_t row = size_t{3} * kSide * kSide * kViews;
  std::vector<uint8_t> out(row * files.size());
  std::vector<DeviceJpeg> jpegs;
  CropTables tables;
  for (size_t i = 0; i < files.size(); ++i) {
    const File& file = files[i];
    jpegs.push_back({.bytes = file.bytes,
                     .width = file.width,
                     .height = file.height,
                     .first_crop = tables.crops().size(),
                     .crops = kViews,
                     .out = out.data() + row * i});
    for (const ResizePlan& plan : Plans(file, i)) tables.Add(plan, Filter::kBicubic);
  }
  session.Decode(jpegs, tables);
  Distance distance;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!jpegs[i].done) continue;
    ++distance.done;
    if (!files[i].damaged) Compare(files[i], i, jpegs[i].out, distance);
  }
  return distance;
}

// Of all images together.
inline Distance CompareGroups(JpegDevice& device) {
  const auto session = device.NewSession();
  Distance all;
  const auto run = [&](const std::vector<File>& files) {
    const Distance found = Run(*session, files);
    all.sum += found.sum;
    all.values += found.values;
    all.done += found.done;
    all.worst = std::max(all.worst, found.worst);
    return found;
  };
  // Other sizes and pictures in the same buffers; above and below the size that nvJPEG's kernels like.
  for (const int count : {64, 9, 80, 1}) {
    const Distance found = run(Files(count, count));
    Expect(found.done == count, fmt::format("{} of {} images decoded", found.done, count));
    const double mean = found.sum / static_cast<double>(found.values);
    fmt::print("{} images: mean difference {:.3f}, worst {}\n", count, mean, found.worst);
    Expect(mean <= kMeanTolerance && found.worst <= kWorstTolerance, "distance from the CPU");
  }
  std::vector<File> large = Files(3, 700);  // more pixels together than a session takes at a time
  for (int k = 0; k < 3; ++k) large.push_back({SampleJpeg(4000, 2800 + k, k, 80), 4000, 2800 + k});
  Expect(run(large).done == 6, "large images");
  std::vector<File> mixed = Files(20, 500);
  for (size_t i = 2; i < mixed.size(); i += 5) {
    mixed[i].damaged = true;
    for (size_t k = mixed[i].bytes.size() / 2; k < mixed[i].bytes.size() / 2 + 40; ++k)
      mixed[i].bytes[k] ^= 0x5A;
  }
  mixed[0].width += 1;  // not what the file says
  mixed[0].damaged = true;
  const Distance damaged = run(mixed);
  fmt::print("with damaged files: {} of {} decoded\n", damaged.done, mixed.size());
  Expect(damaged.worst <= kWorstTolerance, "an image beside a damaged one");
  const File progressive{SampleJpeg(300, 300, 1, 90, true), 300, 300};
  fmt::print("progressive: {} of 1 decoded\n", run({progressive}).done);
  Expect(run(Files(64, 900)).done == 64, "a group after damaged ones");
  Expect(all.worst <= kWorstTolerance, "distance from the CPU");
  return all;
}

}  // namespace graticule
