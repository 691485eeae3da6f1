#include "geo/variogram/pair_sums.h"

#include <algorithm>
#include <cmath>

namespace graticule {

PairSums::PairSums(const LagBins& bins, std::vector<uint32_t> cells, int cell_count, bool robust)
    : bins_(bins),
      cell_of_(std::move(cells)),
      cells_(cell_of_.empty() ? 0 : static_cast<size_t>(cell_count)),
      robust_(robust),
      sums_(static_cast<size_t>(bins.size())),
      by_cell_(static_cast<size_t>(bins.size()) * cells_) {}

void PairSums::Add(const PairSample& pair) {
  Sums& sums = sums_[pair.bin];
  const double y = robust_ ? std::sqrt(std::sqrt(2 * pair.half_square)) : pair.half_square;
  ++sums.pairs;
  sums.weight += pair.weight;
  sums.weight2 += pair.weight * pair.weight;
  sums.km += pair.weight * pair.km;
  sums.half += pair.weight * pair.half_square;
  sums.half2 += pair.weight * pair.half_square * pair.half_square;
  sums.y += pair.weight * y;
  if (cells_ == 0) return;
  CellSums* row = by_cell_.data() + pair.bin * cells_;
  const uint32_t a = cell_of_[pair.a], b = cell_of_[pair.b];
  for (const uint32_t cell : {a, b}) {
    row[cell].weight += pair.weight;
    row[cell].y += pair.weight * y;
    if (a == b) break;
  }
}

double PairSums::Gamma(double y, double weight, int64_t pairs) const {
  const double mean = y / weight;
  if (!robust_) return mean;
  return 0.5 * std::pow(mean, 4) / (0.457 + 0.494 / static_cast<double>(pairs));
}

double PairSums::GammaWithout(size_t bin, size_t cell) const {
  const CellSums& out = by_cell_[bin * cells_ + cell];
  const double left = sums_[bin].weight - out.weight;
  // What rounding leaves of a bin that lay wholly in the cell is nothing.
  if (left <= 1e-9 * sums_[bin].weight) return std::nan("");
  return Gamma(sums_[bin].y - out.y, left, sums_[bin].pairs);
}

double PairSums::JackknifeError(size_t bin) const {
  double groups = 0, sum = 0, squares = 0;
  const double centre = cells_ > 0 ? Gamma(sums_[bin].y, sums_[bin].weight, sums_[bin].pairs) : 0;
  for (size_t cell = 0; cell < cells_; ++cell) {
    if (by_cell_[bin * cells_ + cell].weight <= 0) continue;
    const double off = GammaWithout(bin, cell) - centre;
    if (std::isnan(off)) return std::nan("");
    ++groups;
    sum += off;
    squares += off * off;
  }
  if (groups < 3) return std::nan("");
  return std::sqrt((groups - 1) / groups * std::max(0.0, squares - sum * sum / groups));
}

std::vector<VariogramBin> PairSums::Bins() const {
  std::vector<VariogramBin> out;
  for (int b = 0; b < bins_.size(); ++b) {
    const auto i = static_cast<size_t>(b);
    const Sums& s = sums_[i];
    if (s.pairs == 0) continue;
    const double half = s.half / s.weight;
    out.push_back(
        {.low_km = bins_.low_km(b),
         .high_km = bins_.high_km(b),
         .pairs = s.pairs,
         .mean = Gamma(s.y, s.weight, s.pairs),
         .std = std::sqrt(std::max(0.0, s.half2 / s.weight - half * half)),
         .lag_km = std::clamp(s.km / s.weight, std::nextafter(bins_.low_km(b), 1e9), bins_.high_km(b)),
         .error = JackknifeError(i),
         .weight = s.weight * s.weight / s.weight2});
  }
  return out;
}

std::vector<std::vector<double>> PairSums::Replicates() const {
  std::vector<std::vector<double>> out(cells_);
  for (size_t cell = 0; cell < cells_; ++cell) {
    for (size_t bin = 0; bin < sums_.size(); ++bin) {
      if (sums_[bin].pairs > 0) out[cell].push_back(GammaWithout(bin, cell));
    }
  }
  return out;
}

}  // namespace graticule
