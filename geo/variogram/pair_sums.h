// Weighted sums over pairs by bin of distance, and by geocell for the standard errors.
//
// The jackknife leaves out one cell at a time, with every pair that has an end in it: pairs of neighbouring
// records are no independent draws, and an error computed as if they were is far too small. Sums are fp64;
// their result depends on the order of Add. Not thread-safe.
// Source: Arvesen, Jackknifing U-statistics, Ann. Math. Statist. 40 (1969).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geo/variogram/lag_bins.h"
#include "geo/variogram/variogram_curve.h"

namespace graticule {

struct PairSample {
  uint32_t bin = 0, a = 0, b = 0;  // records
  double weight = 1, km = 0;
  double half_square = 0;
};

class PairSums {
 public:
  // cells: of each record, in [0, cell_count); none: no standard errors.
  // robust: the Cressie-Hawkins estimator, 2 gamma = mean(|d|^1/2)^4 / (0.457 + 0.494 / n), for numbers.
  PairSums(const LagBins& bins, std::vector<uint32_t> cells, int cell_count, bool robust);

  void Add(const PairSample& pair);
  int64_t pairs(int bin) const { return sums_[static_cast<size_t>(bin)].pairs; }
  std::vector<VariogramBin> Bins() const;  // those that hold pairs
  // [cell][b]: gamma of Bins()[b] without the cell; NaN where nothing is left.
  std::vector<std::vector<double>> Replicates() const;

 private:
  struct Sums {
    int64_t pairs = 0;
    double weight = 0, weight2 = 0, km = 0, half = 0, half2 = 0;
    double y = 0;  // of what the mean is taken of
  };
  struct CellSums {
    double weight = 0, y = 0;
  };
  double Gamma(double y, double weight, int64_t pairs) const;
  double GammaWithout(size_t bin, size_t cell) const;
  double JackknifeError(size_t bin) const;

  const LagBins& bins_;
  std::vector<uint32_t> cell_of_;
  size_t cells_;
  bool robust_;
  std::vector<Sums> sums_;         // [bin]
  std::vector<CellSums> by_cell_;  // [bin, cell]
};

}  // namespace graticule
