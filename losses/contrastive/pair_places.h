// What is known of anchors and columns besides their embeddings: where they lie and how their images look;
// and which pairs of them are no negatives: false negatives (too near, same place, same author, same
// sequence), padding, and other views of the anchor itself.
//
// Computed block by block inside the loss, so that no matrix over the batch is ever kept. Distances in fp64
// on a sphere of 6371.0088 km. On the device that they were made for. Pure.
//
// Legend: N items, K keys in use, F width of the frozen tower's output.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "geo/latlon.h"
#include "losses/contrastive/contrastive_config.h"

namespace graticule {

inline constexpr double kPairRadiusKm = 6371.0088;

// What two records may share, 0 = unknown, in the order place, author, sequence.
using PairKeys = std::array<uint64_t, 3>;

struct PairPlaces {
  at::Tensor unit_N3;   // fp64
  at::Tensor keys_NK;   // int64
  at::Tensor valid_N;   // bool: has a place
  at::Tensor sample_N;  // int64, the global sample; -1: none
  // fp64: closer than this (as a closeness) to a row it is no negative of it; undefined: never.
  at::Tensor limit_N;
  // Unit rows, what the tower makes of the item's image; zeros: it has none. Undefined: nobody asks.
  at::Tensor features_NF;
  bool all_valid = true;
  bool several_views = false;  // two items may be of one sample

  // Places without finite coordinates are not valid. keys: one per place, or none. first_sample: samples are
  // numbered from here; below 0 the items are no samples.
  // own_km: a distance for each item where mask.km is too small, or empty.
  static PairPlaces Of(std::span<const LatLon> places, std::span<const PairKeys> keys, const MaskConfig& mask,
                       int64_t first_sample, c10::Device device, std::span<const double> own_km = {});
  PairPlaces Narrow(int64_t begin, int64_t count) const;
  // Each item `views` times in a row.
  PairPlaces Repeat(int64_t views) const;
  // Of the columns that each of `samples` rows has for itself: each sample's stretch `views` times in a row.
  PairPlaces PerRow(int64_t samples, int64_t views) const;
  static PairPlaces Join(const PairPlaces& a, const PairPlaces& b);
  int64_t size() const { return unit_N3.size(0); }

 private:
  template <class Function>
  PairPlaces Each(const Function& change) const;  // applied to every tensor that is there
};

// Pairs nearer than km have a closeness above this.
double ClosenessAt(double km);

// cos of the angle between places, fp64 [R, C].
at::Tensor Closeness(const PairPlaces& rows, const PairPlaces& columns);

// 1 - cos of the features, [R, C] in their type; NaN where the row or the column has no image.
at::Tensor FeatureDistance(const PairPlaces& rows, const PairPlaces& columns);

// bool [R, C]: the column is no negative of the row; undefined where that holds for no pair. It may be true
// at the positive. closeness_RC: Closeness of them, where the caller has it.
at::Tensor LeftOut(const PairPlaces& rows, const PairPlaces& columns, const at::Tensor& closeness_RC = {});

// The same where each row has columns of its own: columns holds R * M items -> [R, M].
at::Tensor ClosenessOwn(const PairPlaces& rows, const PairPlaces& columns);
at::Tensor LeftOutOwn(const PairPlaces& rows, const PairPlaces& columns);

}  // namespace graticule
