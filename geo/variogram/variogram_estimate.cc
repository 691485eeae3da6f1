#include "geo/variogram/variogram_estimate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "base/rng.h"
#include "geo/s2_tokens.h"
#include "geo/variogram/pair_blocks.h"
#include "geo/variogram/shell_index.h"

namespace graticule {
namespace {

constexpr int kCellLevel = 4;
constexpr int64_t kWaveBlocks = 64;         // made at once
constexpr int64_t kShellDraws = 256;        // of a block of anchors
constexpr int64_t kUniformDraws = 8192;     // of a block of uniform pairs
constexpr int64_t kAllPairsBlock = 32'768;  // pairs
constexpr int64_t kPilotAnchors = 2048, kCountBlock = 4096;
// Where a bin does not fill, drawing ends after so many draws per pair wanted.
constexpr int64_t kMostShellDraws = 20, kMostUniformDraws = 2500;

// Streams of random numbers, by the key's view.
enum View : uint32_t { kPilotView, kShellView, kUniformView };

double Chord2(const UnitVector& a, const UnitVector& b) {
  const double x = a.x - b.x, y = a.y - b.y, z = a.z - b.z;
  return x * x + y * y + z * z;
}

class Estimator {
 public:
  Estimator(const EstimateInput& input, const EstimateOptions& options, const LagBins& bins, bool errors)
      : input_(input), options_(options), bins_(bins), n_(std::ssize(input.places)) {
    GRATICULE_CHECK(input.values != nullptr && input.values->size() == n_);
    GRATICULE_CHECK(options.pairs > 0 && options.threads > 0);
    for (const LatLon p : input.places) points_.push_back(ToUnitVector(p));
    std::vector<uint32_t> cells;
    std::unordered_map<uint64_t, uint32_t> numbers;
    for (size_t i = 0; errors && i < points_.size(); ++i) {
      const uint64_t id = S2CellIdOf(Normalised(input.places[i]), kCellLevel);
      cells.push_back(numbers.emplace(id, static_cast<uint32_t>(numbers.size())).first->second);
    }
    sums_ =
        std::make_unique<PairSums>(bins, std::move(cells), static_cast<int>(numbers.size()), options.robust);
  }

  void AddAllPairs();
  void AddShells(int bin, const ShellIndex& index);
  void AddUniform(int first_bin);
  void Tell(int64_t done, int64_t total) const {
    if (options_.progress) options_.progress(done, total);
  }
  VariogramEstimate Result(bool all_pairs) const { return {sums_->Bins(), sums_->Replicates(), all_pairs}; }
  std::span<const UnitVector> points() const { return points_; }
  int64_t all_pairs() const { return n_ * (n_ - 1) / 2; }

 private:
  bool Excluded(int64_t i, int64_t j) const {
    return std::any_of(input_.keys.begin(), input_.keys.end(), [&](std::span<const uint64_t> keys) {
      const uint64_t key = keys[static_cast<size_t>(i)];
      return key != 0 && key == keys[static_cast<size_t>(j)];
    });
  }
  void Take(int bin, int64_t i, int64_t j, double chord2, double weight, std::vector<PairSample>& out) const {
    if (Excluded(i, j)) return;
    out.push_back({static_cast<uint32_t>(bin), static_cast<uint32_t>(i), static_cast<uint32_t>(j), weight,
                   KmOfChord2(chord2), input_.values->HalfSquare(i, j)});
  }
  const UnitVector& Point(int64_t i) const { return points_[static_cast<size_t>(i)]; }
  Rng Random(View view, int64_t bin, int64_t block) const {
    return Rng(options_.seed, {.epoch = static_cast<uint64_t>(bin),
                               .index = static_cast<uint64_t>(block),
                               .view = view,
                               .purpose = Purpose::kVariogram});
  }
  // Pairs of the bin, counted from both ends; an estimate where they are far too many to take all.
  double CountPairs(int bin, const ShellIndex& index) const;
  void AddWholeShells(int bin, const ShellIndex& index);
  // No two places are farther apart: the diagonal of the box around all. Drawing for bins beyond would not
  // end.
  double LargestChord2() const;

  const EstimateInput& input_;
  const EstimateOptions& options_;
  const LagBins& bins_;
  int64_t n_;
  std::vector<UnitVector> points_;
  std::unique_ptr<PairSums> sums_;
};

void Estimator::AddAllPairs() {
  const int64_t total = all_pairs(), blocks = (total + kAllPairsBlock - 1) / kAllPairsBlock;
  const auto make = [&](int64_t block, std::vector<PairSample>& out) {
    // Pair k of the triangle j < i stands in row i, the largest with i (i - 1) / 2 <= k.
    const int64_t first = block * kAllPairsBlock, last = std::min(total, first + kAllPairsBlock);
    auto i = static_cast<int64_t>((1 + std::sqrt(1 + 8 * static_cast<double>(first))) / 2);
    while (i * (i - 1) / 2 > first) --i;
    while ((i + 1) * i / 2 <= first) ++i;
    for (int64_t k = first, j = first - i * (i - 1) / 2; k < last; ++k) {
      const double chord2 = Chord2(Point(i), Point(j));
      if (const int bin = bins_.BinOf(chord2); bin >= 0) Take(bin, i, j, chord2, 1, out);
      if (++j == i) {
        ++i;
        j = 0;
      }
    }
  };
  constexpr int64_t kTogether = 16;
  for (int64_t block = 0; block < blocks; block += kTogether) {
    AddBlocks(options_.threads, block, std::min(kTogether, blocks - block), make, *sums_);
    Tell(std::min(total, (block + kTogether) * kAllPairsBlock), total);
  }
}

double Estimator::CountPairs(int bin, const ShellIndex& index) const {
  const double low = bins_.low_chord2(bin), high = bins_.high_chord2(bin);
  ShellIndex::Shell shell;
  double pilot = 0;
  Rng random = Random(kPilotView, bin, 0);
  for (int64_t k = 0; k < kPilotAnchors; ++k) {
    index.Find(Point(static_cast<int64_t>(random.Below(static_cast<uint64_t>(n_)))), low, high, shell);
    pilot += static_cast<double>(shell.size());
  }
  pilot *= static_cast<double>(n_) / kPilotAnchors;
  if (pilot > 16.0 * static_cast<double>(options_.pairs)) return pilot;
  std::vector<int64_t> counts(static_cast<size_t>((n_ + kCountBlock - 1) / kCountBlock));
  RunParallel(options_.threads, std::ssize(counts), [&](int64_t block) {
    ShellIndex::Shell around;
    for (int64_t i = block * kCountBlock; i < std::min(n_, (block + 1) * kCountBlock); ++i) {
      index.Find(Point(i), low, high, around);
      counts[static_cast<size_t>(block)] += around.size();
    }
  });
  return static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
}

void Estimator::AddWholeShells(int bin, const ShellIndex& index) {
  const int64_t blocks = (n_ + kShellDraws - 1) / kShellDraws;
  const auto make = [&](int64_t block, std::vector<PairSample>& out) {
    ShellIndex::Shell shell;
    for (int64_t i = block * kShellDraws; i < std::min(n_, (block + 1) * kShellDraws); ++i) {
      index.Find(Point(i), bins_.low_chord2(bin), bins_.high_chord2(bin), shell);
      for (int64_t k = 0; k < shell.size(); ++k) {
        const int64_t j = shell.at(k);
        if (j < i) Take(bin, i, j, Chord2(Point(i), Point(j)), 1, out);
      }
    }
  };
  for (int64_t block = 0; block < blocks; block += kWaveBlocks)
    AddBlocks(options_.threads, block, std::min(kWaveBlocks, blocks - block), make, *sums_);
}

void Estimator::AddShells(int bin, const ShellIndex& index) {
  if (CountPairs(bin, index) <= 4.0 * static_cast<double>(options_.pairs)) return AddWholeShells(bin, index);
  const auto make = [&](int64_t block, std::vector<PairSample>& out) {
    Rng random = Random(kShellView, bin, block);
    ShellIndex::Shell shell;
    for (int64_t k = 0; k < kShellDraws; ++k) {
      const auto i = static_cast<int64_t>(random.Below(static_cast<uint64_t>(n_)));
      index.Find(Point(i), bins_.low_chord2(bin), bins_.high_chord2(bin), shell);
      if (shell.size() == 0) continue;
      // A partner that is left out takes its weight along: the mean stays over the pairs that are allowed.
      const int64_t j = shell.at(static_cast<int64_t>(random.Below(static_cast<uint64_t>(shell.size()))));
      Take(bin, i, j, Chord2(Point(i), Point(j)), static_cast<double>(shell.size()), out);
    }
  };
  const int64_t most = kMostShellDraws * options_.pairs / kShellDraws + 1;
  for (int64_t block = 0; block < most && sums_->pairs(bin) < options_.pairs;) {
    const int64_t missing = options_.pairs - sums_->pairs(bin);
    const int64_t count = std::min({(missing + kShellDraws - 1) / kShellDraws, kWaveBlocks, most - block});
    AddBlocks(options_.threads, block, count, make, *sums_);
    block += count;
  }
}

double Estimator::LargestChord2() const {
  UnitVector low = points_.front(), high = low;
  for (const UnitVector& p : points_) {
    low = {std::min(low.x, p.x), std::min(low.y, p.y), std::min(low.z, p.z)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y), std::max(high.z, p.z)};
  }
  return Chord2(low, high);
}

void Estimator::AddUniform(int first_bin) {
  const double largest = LargestChord2();
  std::vector<bool> open(static_cast<size_t>(bins_.size()));
  const auto look = [&] {
    bool any = false;
    for (int bin = first_bin; bin < bins_.size(); ++bin) {
      const bool more = sums_->pairs(bin) < options_.pairs && bins_.low_chord2(bin) < largest;
      open[static_cast<size_t>(bin)] = more;
      any = any || more;
    }
    return any;
  };
  const auto make = [&](int64_t block, std::vector<PairSample>& out) {
    Rng random = Random(kUniformView, 0, block);
    for (int64_t k = 0; k < kUniformDraws; ++k) {
      const auto i = static_cast<int64_t>(random.Below(static_cast<uint64_t>(n_)));
      const auto j = static_cast<int64_t>(random.Below(static_cast<uint64_t>(n_)));
      const double chord2 = Chord2(Point(i), Point(j));
      const int bin = bins_.BinOf(chord2);
      if (bin >= first_bin && open[static_cast<size_t>(bin)]) Take(bin, i, j, chord2, 1, out);
    }
  };
  const int64_t most = kMostUniformDraws * options_.pairs / kUniformDraws + 1;
  for (int64_t block = 0; block < most && look(); block += kWaveBlocks) {
    AddBlocks(options_.threads, block, std::min(kWaveBlocks, most - block), make, *sums_);
    int64_t done = first_bin * options_.pairs;
    for (int bin = first_bin; bin < bins_.size(); ++bin) done += std::min(options_.pairs, sums_->pairs(bin));
    Tell(done, bins_.size() * options_.pairs);
  }
}

void CheckPlaces(const EstimateInput& input) {
  if (input.places.size() >= 2) return;
  throw Error(ErrorCode::kData, "fewer than two records have a place and a value", "",
              "Expected a dataset whose records have both.");
}

}  // namespace

VariogramEstimate EstimateVariogram(const EstimateInput& input, const EstimateOptions& options) {
  CheckPlaces(input);
  const LagBins bins = LagBins::LogSpaced();
  Estimator estimator(input, options, bins, true);
  const int64_t wanted = bins.size() * options.pairs;
  if (estimator.all_pairs() <= wanted) {
    estimator.AddAllPairs();
    return estimator.Result(true);
  }
  const ShellIndex index(estimator.points());
  int bin = 0;
  for (; bin < bins.size() && bins.high_km(bin) <= options.near_km; ++bin) {
    estimator.AddShells(bin, index);
    estimator.Tell((bin + 1) * options.pairs, wanted);
  }
  estimator.AddUniform(bin);
  estimator.Tell(wanted, wanted);
  return estimator.Result(false);
}

VariogramEstimate EstimateDense(const EstimateInput& input, const EstimateOptions& options) {
  CheckPlaces(input);
  const LagBins bins = LagBins::Linear(0.001);
  Estimator estimator(input, options, bins, false);
  estimator.AddAllPairs();
  return estimator.Result(true);
}

}  // namespace graticule
