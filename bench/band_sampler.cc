// Time to draw the negatives of one batch from distance bands: 12 places within (1, 25] km of each anchor, 12
// in (25, 200], 8 in (200, 750], 32 beyond 2500 km.
//
//   band_sampler GALLERY ANCHORS [seconds]
//
// Both are gallery files or CSVs; the anchors make one batch, drawn again and again with other keys. Prints
// one JSON object with the median time per batch on one and two threads. bench/band_sampler.py makes the
// input, adds what people use from Python and prints the table.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "geo/band_sampler.h"
#include "geo/gallery.h"

namespace graticule {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Timing {
  double batch_s = 0;
  int64_t empty = 0;  // slots of the last batch that no place filled
};

Timing BatchTime(const BandSampler& sampler, const std::vector<LatLon>& anchors, int threads,
                 double seconds) {
  std::vector<int64_t> index(anchors.size() * sampler.slots());
  std::vector<double> km(index.size()), times;
  const Clock::time_point start = Clock::now();
  for (uint64_t epoch = 0; epoch < 3 || Since(start) < seconds; ++epoch) {
    const Clock::time_point before = Clock::now();
    sampler.DrawMany(
        anchors,
        [&](int64_t b) {
          return Rng(1, {.epoch = epoch, .index = static_cast<uint64_t>(b), .purpose = Purpose::kSample});
        },
        threads, index, km);
    times.push_back(Since(before));
  }
  std::nth_element(times.begin(), times.begin() + std::ssize(times) / 2, times.end());
  return {times[times.size() / 2], std::count(index.begin(), index.end(), -1)};
}

int Main(int argc, char** argv) {
  const Gallery gallery = Gallery::Load(argv[1]);
  const std::vector<LatLon> anchors = Gallery::Load(argv[2]).places();
  const double seconds = argc > 3 ? std::stod(argv[3]) : 1;
  const Clock::time_point start = Clock::now();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const BandSampler sampler(gallery.places(),
                            {.bands = {{1, 25, 12}, {25, 200, 12}, {200, 750, 8}, {2500, kInfinity, 32}}});
  const double build_s = Since(start);
  const Timing one = BatchTime(sampler, anchors, 1, seconds), two = BatchTime(sampler, anchors, 2, seconds);
  fmt::print(
      "{{\"places\": {}, \"distinct\": {}, \"anchors\": {}, \"build_s\": {:.4f}, \"batch_s\": {:.6f}, "
      "\"batch_two_threads_s\": {:.6f}, \"empty\": {}}}\n",
      gallery.size(), sampler.candidates(), anchors.size(), build_s, one.batch_s, two.batch_s, one.empty);
  return 0;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: band_sampler GALLERY ANCHORS [seconds]\n");
    return 2;
  }
  try {
    return graticule::Main(argc, argv);
  } catch (const graticule::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return error.exit_code();
  }
}
