// Hard negatives by distance: for an anchor, so many places of each ring (band) around it, every place of a
// band equally likely, none twice.
//
// A band holds the candidates d km away with low < d <= high (haversine, R = 6371.0 km) and d >= r_fn: what
// is closer may be the same place and is no negative. Bands ascend and do not overlap; the outermost may
// reach to infinity. What a band cannot fill goes to the next one outwards; what the outermost cannot fill
// stays empty (index -1, distance NaN). Candidates equal on a grid of 1e-5 degrees count once, under the
// index of the first; candidates without a place (NaN) are never drawn; an anchor without one gets nothing.
//
// How: cells of a tree over the S2 curve are opened until at least half of what is left lies in the band. Few
// places are then listed and chosen from; of many, one is drawn uniformly and kept if it lies in the band and
// is new, with a list as the last resort after 64 tries. Both are uniform, and fixed by the anchor and the
// generator's key alone, never by threads. Built once, immutable, thread-safe; about 30 bytes per candidate.
// Source: distance bands instead of ranks, because a fixed rank means 0.6 km in a city and 300 km in a
// desert.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/rng.h"
#include "geo/latlon.h"
#include "geo/place_tree.h"

namespace graticule {

struct DistanceBand {
  double low_km = 0;
  double high_km = 0;  // infinity: everything farther than low_km
  int64_t count = 0;   // places wanted per anchor
};

struct BandOptions {
  std::vector<DistanceBand> bands;  // ascending
  double r_fn_km = 1;               // places nearer than this may be the anchor's own
};

class BandSampler {
 public:
  // Throws Error(kUsage) for bands that make no sense, Error(kData) when no candidate has a place.
  BandSampler(std::span<const LatLon> candidates, BandOptions options);

  int64_t slots() const;       // M: places per anchor, over all bands
  int64_t candidates() const;  // distinct ones

  // Fills index [M] and km [M]: the bands from the inside out, then what stays empty. near_share in [0, 1]
  // scales the counts of all bands but the outermost, which gets the rest: a curriculum from far to near.
  void Draw(LatLon anchor, Rng& rng, std::span<int64_t> index, std::span<double> km,
            double near_share = 1) const;

  // Draw for every anchor b with rng_of(b), into index_BM and km_BM, by `threads` threads of its own (the
  // caller is one of them). rng_of must be thread-safe and must not throw.
  void DrawMany(std::span<const LatLon> anchors, const std::function<Rng(int64_t anchor)>& rng_of,
                int threads, std::span<int64_t> index_BM, std::span<double> km_BM,
                double near_share = 1) const;

 private:
  struct Work;
  void DrawWith(Work& work, LatLon anchor, Rng& rng, std::span<int64_t> index, std::span<double> km,
                double near_share) const;
  int64_t DrawBand(Work& work, LatLon anchor, const DistanceBand& band, int64_t wanted, Rng& rng,
                   int64_t* index, double* km) const;

  BandOptions options_;
  PlaceTree tree_;
};

// The indices that occur, in row order, each once, without -1: what all anchors share.
std::vector<int64_t> SharedUnion(std::span<const int64_t> index_BM);

}  // namespace graticule
