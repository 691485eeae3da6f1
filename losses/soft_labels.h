// Soft geocell labels by great-circle distance, built on the host in double precision.
//
// Row b, cell k: y = exp(-(d(centre_k, place_b) - d_ref) / tau) with d_ref the distance to the nearest centre
// ("code") or to the centre of the containing cell ("paper"). tau = 0 gives hard labels. Entries below
// e^-30 are written as 0: together they are under 1e-9 of a row for any table that fits a head. Rows without
// a containing cell or without a finite place are masked: all zeros. Units: km on a sphere of 6378.137 km.
// Immutable; Fill is thread-safe and runs on ATen's threads. Source: PIGEON (arXiv 2307.05845) equations 1-3
// and its published code's variant.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

struct SoftLabelOptions {
  std::string reference = "code";  // or "paper"
  double tau_km = 65;
  bool normalise = false;  // rows sum to 1
};

class SoftLabels {
 public:
  SoftLabels(const std::vector<LatLon>& centres, const SoftLabelOptions& options);

  // cells[b]: the containing cell of places[b], -1 where there is none. labels_BK: row-major, overwritten.
  void Fill(std::span<const LatLon> places, std::span<const int64_t> cells, float* labels_BK) const;
  // Rows that Fill does not mask: the loss's weight.
  static double CountLabelled(std::span<const LatLon> places, std::span<const int64_t> cells);

  int64_t size() const { return static_cast<int64_t>(x_.size()); }

 private:
  void FillRow(LatLon place, int64_t cell, double* chord2_K, float* labels_K) const;

  SoftLabelOptions options_;
  std::vector<double> x_, y_, z_;  // unit vectors of the centres
};

}  // namespace graticule
