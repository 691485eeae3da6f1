// The six ways in which the thesis behind this project chose the negatives of a batch from a gallery: for
// studies that compare with it. The sampler to use is geo/band_sampler.h.
//
// B anchors fill S slots of a queue that all rows share; m = S / B. A pool is 5m distinct gallery places
// drawn uniformly for one anchor and sorted by distance to it; its nearest 30 % are near, the rest far.
//
// v1: per anchor m/2 of the near and m/2 of the far places of a pool.
//
// v2: the same with m/4 in place of m.
//
// v3: per anchor the m/2 nearest places of a pool and m/2 of its far ones; slots that repeats leave over
// stay.
//
// v4: the 9 nearest gallery places of each anchor without those at distance 0; S of them.
//
// v5: S/2 of the 6 nearest places of each anchor, S/2 of those of rank 7 to 24.
//
// v6: S/2 of the 8 nearest places of each anchor, S/2 of those of rank 9 to 16.
//
// Anchors share their choices and no index is taken twice. v1 and v2 fill up with gallery places drawn
// uniformly, in at most five rounds, and shuffle; v4 to v6 draw without replacement, and a place that is near
// for one anchor and far for another is one or the other. What is called far in v5 and v6 is a few kilometres
// away, and v4 has too few places for a small batch: it throws Error(kUsage), as the original fails.
// Distances are great circles here, geodesics there (0.6 % apart at most). Pure functions of the arguments.
// Source: the description of DeoBye/Thesis_GeoLoc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "geo/latlon.h"
#include "geo/place_index.h"

namespace graticule {

enum class ThesisVariant { kV1 = 1, kV2, kV3, kV4, kV5, kV6 };

// Returns S gallery rows; -1: the slot keeps what the queue held. `index` is over `gallery`. Throws
// Error(kUsage) for fewer slots than anchors, no anchor, no gallery, or a place that is none.
std::vector<int64_t> ThesisNegatives(ThesisVariant variant, std::span<const LatLon> anchors,
                                     std::span<const LatLon> gallery, const PlaceIndex& index, int64_t slots,
                                     Rng& rng);

}  // namespace graticule
