// Neighbour lists by similarity: for each record the K others whose places an image is most easily taken to.
//
// Record j stands in the list of record i by the product of i's image and j's place in the common space,
// largest first, equal ones in row order; of several equally similar ones at the very end of a list, torch
// chooses which stay. What lies nearer than min_km to i may be the same place and is left out, as is i
// itself. A record whose place is not finite has no list and stands in none. Scores are fp32 of the device,
// so lists belong to the run that made them: their hash is kept. Worked out tile by tile: memory O(chunk *
// tile) on the device beside the rows themselves, and the result. One thread calls. Failure:
// Error(kNumerics) for rows that are not finite. Source: dynamic similarity sampling of "Sample4Geo" (ICCV
// 2023), with places in the role of its references and a distance that keeps false negatives out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

struct SimilaritySearch {
  int64_t neighbours = 128;  // K
  double min_km = 25;        // on a sphere of 6371.0 km
  int64_t chunk = 1024;      // images at a time
  int64_t tile = 32768;      // places at a time
};

// images_CD: of these records, which may be a share of the N. Floating point, on the device of places_ND.
// Returns [C, K] rows as in data/loader/neighbour_lists.h.
std::vector<uint32_t> TopSimilar(const at::Tensor& images_CD, std::span<const int64_t> records,
                                 const at::Tensor& places_ND, std::span<const LatLon> places,
                                 const SimilaritySearch& search);

}  // namespace graticule
