// Writes a small dataset and its cells for tests that run the real programs: OUT/data (splits train, val) and
// OUT/cells.safetensors. Deterministic. Places cluster in a few towns, so that colours say where an image was
// taken.
//
// usage: tiny_world OUT RECORDS RECORDS_PER_SHARD
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "base/fs.h"
#include "base/rng.h"
#include "data/image/jpeg_encode.h"
#include "data/shard/dataset_writer.h"
#include "data/split/split_sidecar.h"
#include "geo/cell_table.h"

using namespace graticule;  // NOLINT: a test program of one file

namespace {

constexpr int kTowns = 12;

// Flat colours of the town with noise, and a bright bar whose height is the town's second cue.
Image Paint(int town, Rng& rng) {
  Image image;
  image.width = 48 + static_cast<int>(rng.Below(24));
  image.height = 40 + static_cast<int>(rng.Below(16));
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const bool bar = y * kTowns / image.height == town;
      for (int c = 0; c < 3; ++c) {
        const int base = bar ? 230 : 40 + (town * (31 + 20 * c)) % 150;
        image.rgb.push_back(static_cast<uint8_t>(base + static_cast<int>(rng.Below(25))));
      }
    }
  }
  return image;
}

RecordRow Facts(LatLon place, int town, Rng& rng) {
  RecordRow row;
  row.SetFloat(Col::kLat, place.lat_deg);
  row.SetFloat(Col::kLon, place.lon_deg);
  if (rng.Below(10) > 0) row.SetInt(Col::kClimate, 1 + town * 2);
  if (rng.Below(10) > 2) row.SetInt(Col::kMonth, 1 + static_cast<int64_t>(rng.Below(12)));
  if (rng.Below(10) > 0) {
    row.SetFloat(Col::kElevM, 100.0 * town + rng.Uniform(0, 50));
    row.SetFloat(Col::kPopdenKm2, rng.Uniform(0, 1000));
    row.SetFloat(Col::kTavgC, 30.0 - 2 * town);
    row.SetFloat(Col::kTdiffC, 10.0 + town);
    row.SetFloat(Col::kPrecMm, 50.0 + town);
    row.SetFloat(Col::kPrecdiffMm, rng.Uniform(0, 90));
  }
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string out = argv[1], data = JoinPath(out, "data");
  const int64_t records = std::stoll(argv[2]);
  const Dictionaries dictionaries;
  JpegEncoder encoder;
  SplitLabels split{{"train", "val"}, {}, {{"method", "every fifth record"}}};
  std::vector<LatLon> places;
  DatasetWriter writer(PosixFs(), data, {.dataset = "tiny", .records_per_shard = std::stoll(argv[3])},
                       dictionaries);
  for (int64_t i = 0; i < records; ++i) {
    Rng rng(7, {.index = static_cast<uint64_t>(i), .purpose = Purpose::kTest});
    const int town = static_cast<int>(rng.Below(kTowns));
    const LatLon place{-55.0 + 10.0 * town + rng.Uniform(-0.5, 0.5),
                       -160.0 + 27.0 * town + rng.Uniform(-0.5, 0.5)};
    const Image image = Paint(town, rng);
    writer.Append(fmt::format("tiny-{:05}", i), encoder.Encode(image.view(), 90),
                  {static_cast<uint16_t>(image.width), static_cast<uint16_t>(image.height), 0},
                  Facts(place, town, rng));
    split.label.push_back(i % 5 == 4 ? 1 : 0);
    if (i % 5 != 4) places.push_back(place);
  }
  WriteSplit(PosixFs(), data, writer.Finish(), split);
  BuildS2Cells(places, {.min_images = 1, .max_images = 20, .min_level = 2, .max_level = 12})
      ->Save(JoinPath(out, "cells.safetensors"));
  return 0;
}
