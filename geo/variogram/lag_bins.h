// Distances cut into bins, asked by the squared chord of the unit sphere, which needs no arc sine.
// Lags in km on the sphere of reports; a bin holds low < lag <= high, lag 0 belongs to none. Immutable.
#pragma once

#include <cstddef>
#include <vector>

namespace graticule {

class LagBins {
 public:
  // (0, 0.1] km, then twelve to a decade up to half the circumference, 20,015 km.
  static LagBins LogSpaced();
  // Equal steps on the sphere, in radians, up to pi.
  static LagBins Linear(double step_rad);

  int size() const { return static_cast<int>(edges_km_.size()) - 1; }
  double low_km(int bin) const { return edges_km_[static_cast<size_t>(bin)]; }
  double high_km(int bin) const { return edges_km_[static_cast<size_t>(bin) + 1]; }
  double low_chord2(int bin) const { return edges_chord2_[static_cast<size_t>(bin)]; }
  double high_chord2(int bin) const { return edges_chord2_[static_cast<size_t>(bin) + 1]; }
  int BinOf(double chord2) const;  // -1 at lag 0

 private:
  explicit LagBins(std::vector<double> edges_km);
  std::vector<double> edges_km_, edges_chord2_;
};

// Great-circle distance of a squared chord.
double KmOfChord2(double chord2);

}  // namespace graticule
