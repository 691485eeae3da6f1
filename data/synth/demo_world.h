// Writes the demo world: street scenes of an invented planet in the two download layouts the importers read.
//
//   out/osv5m/train.csv, out/osv5m/images/train/NN.zip      OSV-5M: stored zips and 32 columns
//   out/mp16pro/mp-16-imagesNN, out/mp16pro/metadata/*.csv  MP16-Pro: slices of one tar and two tables
//   out/extra.csv                                           auxiliary values of both, for --extra-csv
//   out/world.json                                          version, seed and counts; called
//                                                           world.json.unfinished until all is there
//
// The bytes are a pure function of seed and counts: record i is drawn from its own random stream, threads
// only render. Throws Error(kData) on I/O failure, Error(kUsage) when `out` holds another
// world, or files of those names that are of none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/synth/planet.h"

namespace graticule {

inline constexpr int kDemoWorldVersion = 3;  // raised whenever the same seed gives other bytes

struct DemoWorldOptions {
  std::string out;
  uint64_t seed = 1;
  int64_t osv_images = 14'000, mp16_images = 6'000;
  int threads = 0;  // 0: all cores
  std::function<void(int64_t done, int64_t total)> progress;
};

struct DemoWorldSummary {
  int64_t images = 0;
  uint64_t image_bytes = 0;
  bool reused = false;  // the same world was there already
};

DemoWorldSummary WriteDemoWorld(const DemoWorldOptions& options);

// One photo before it is drawn.
struct DemoPhoto {
  uint64_t index = 0;  // record number in the world; keys its random stream
  bool mp16 = false;
  std::string id;  // OSV: digits. MP16: "4f_a0_3963216890.jpg"
  PlaceFacts facts;
  int month = 1;
  int64_t captured_ms = 0;
  int width = 0, height = 0, quality = 85;
};

// Facts and sizes of photo `index`.
DemoPhoto PlanPhoto(const Planet& planet, uint64_t seed, uint64_t index, bool mp16);
std::vector<uint8_t> DrawPhoto(const DemoPhoto& photo, uint64_t seed);

}  // namespace graticule
