#include "geo/band_sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>
#include <unordered_set>

#include "base/error.h"
#include "geo/place_grid.h"

namespace graticule {
namespace {

constexpr int kTries = 64;
// Up to this many places of a cover per wanted one, listing them is cheaper than trying.
constexpr int64_t kListPerWanted = 8;
constexpr int64_t kAnchorsPerTurn = 16;  // that a thread takes at once

void CheckBands(const BandOptions& options) {
  double reached = 0;
  for (const DistanceBand& band : options.bands) {
    if (band.low_km >= reached && band.high_km > band.low_km && std::isfinite(band.low_km) &&
        band.count >= 0) {
      reached = band.high_km;
      continue;
    }
    throw Error(ErrorCode::kUsage,
                fmt::format("band ({}, {}] km with {} places; expected {} <= low < high and a count >= 0",
                            band.low_km, band.high_km, band.count, reached),
                "distance bands", "Name them from the inside out, without overlap.");
  }
  if (options.bands.empty()) throw Error(ErrorCode::kUsage, "no distance band; expected one or more");
  if (!(options.r_fn_km >= 0)) {
    throw Error(ErrorCode::kUsage, fmt::format("r_fn is {} km; expected 0 or more", options.r_fn_km),
                "distance bands");
  }
}

// The distinct candidates that have a place, under their indices.
PlaceTree TreeOf(std::span<const LatLon> candidates) {
  std::vector<int64_t> known;
  std::vector<LatLon> places;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!IsValid(candidates[i])) continue;
    known.push_back(static_cast<int64_t>(i));
    places.push_back(candidates[i]);
  }
  if (places.empty()) {
    throw Error(ErrorCode::kData, fmt::format("none of {} candidates has a place", candidates.size()),
                "distance bands");
  }
  std::vector<int64_t> rows = MergePlaces(places).kept;
  places.clear();
  for (int64_t& row : rows) {
    row = known[row];
    places.push_back(candidates[row]);
  }
  return PlaceTree(places, rows);
}

}  // namespace

// Buffers of one thread.
struct BandSampler::Work {
  struct Found {
    uint32_t slot;
    double km;
  };
  RingCover cover;
  std::vector<uint32_t> tried, drawn;  // slots of the present band
  std::vector<Found> list;
};

BandSampler::BandSampler(std::span<const LatLon> candidates, BandOptions options)
    : options_((CheckBands(options), std::move(options))), tree_(TreeOf(candidates)) {}

int64_t BandSampler::slots() const {
  int64_t sum = 0;
  for (const DistanceBand& band : options_.bands) sum += band.count;
  return sum;
}

int64_t BandSampler::candidates() const { return tree_.size(); }

void BandSampler::Draw(LatLon anchor, Rng& rng, std::span<int64_t> index, std::span<double> km,
                       double near_share) const {
  Work work;
  DrawWith(work, anchor, rng, index, km, near_share);
}

void BandSampler::DrawWith(Work& work, LatLon anchor, Rng& rng, std::span<int64_t> index,
                           std::span<double> km, double near_share) const {
  const int64_t all = slots();
  GRATICULE_CHECK(std::ssize(index) == all && std::ssize(km) == all && near_share >= 0 && near_share <= 1);
  int64_t filled = 0, wanted = 0;
  for (size_t b = 0; b < options_.bands.size() && IsValid(anchor); ++b) {
    const DistanceBand& band = options_.bands[b];
    const bool outermost = b + 1 == options_.bands.size();
    wanted = outermost ? all : wanted + std::llround(near_share * static_cast<double>(band.count));
    filled += DrawBand(work, anchor, band, wanted - filled, rng, index.data() + filled, km.data() + filled);
  }
  std::fill(index.begin() + filled, index.end(), -1);
  std::fill(km.begin() + filled, km.end(), std::numeric_limits<double>::quiet_NaN());
}

int64_t BandSampler::DrawBand(Work& work, LatLon anchor, const DistanceBand& band, int64_t wanted, Rng& rng,
                              int64_t* index, double* km) const {
  if (wanted == 0) return 0;
  tree_.Cover(anchor, std::max(band.low_km, options_.r_fn_km), band.high_km, work.cover);
  const auto size = static_cast<uint64_t>(work.cover.size());
  const auto lies_in_band = [&](double d) {
    return d > band.low_km && d <= band.high_km && d >= options_.r_fn_km;
  };
  const auto is_drawn = [&](uint32_t slot) {
    return std::find(work.drawn.begin(), work.drawn.end(), slot) != work.drawn.end();
  };
  const auto keep = [&](uint32_t slot, double d) {
    index[work.drawn.size()] = tree_.row(slot);
    km[work.drawn.size()] = d;
    work.drawn.push_back(slot);
  };
  work.drawn.clear();
  if (work.cover.size() > kListPerWanted * wanted) {
    // As many at a time as are wanted, so that memory is asked for all of them at once.
    for (int64_t failed = 0; failed < kTries && std::ssize(work.drawn) < wanted;) {
      work.tried.resize(static_cast<size_t>(wanted - std::ssize(work.drawn)));
      for (uint32_t& slot : work.tried) {
        slot = work.cover.At(static_cast<int64_t>(rng.Below(size)));
        tree_.Prefetch(slot);
      }
      for (const uint32_t slot : work.tried) {
        const double d = HaversineKm(anchor, tree_.place(slot));
        ++failed;
        if (!lies_in_band(d) || is_drawn(slot)) continue;
        keep(slot, d);
        failed = 0;
      }
    }
  }
  if (std::ssize(work.drawn) == wanted) return wanted;
  work.list.clear();
  for (int64_t i = 0; i < work.cover.size(); ++i) {
    const uint32_t slot = work.cover.At(i);
    const double d = HaversineKm(anchor, tree_.place(slot));
    if (lies_in_band(d) && !is_drawn(slot)) work.list.push_back({slot, d});
  }
  // The first steps of a Fisher-Yates shuffle.
  for (size_t i = 0; i < work.list.size() && std::ssize(work.drawn) < wanted; ++i) {
    std::swap(work.list[i], work.list[i + rng.Below(work.list.size() - i)]);
    keep(work.list[i].slot, work.list[i].km);
  }
  return std::ssize(work.drawn);
}

void BandSampler::DrawMany(std::span<const LatLon> anchors, const std::function<Rng(int64_t)>& rng_of,
                           int threads, std::span<int64_t> index_BM, std::span<double> km_BM,
                           double near_share) const {
  const int64_t rows = std::ssize(anchors), slots_each = slots();
  GRATICULE_CHECK(std::ssize(index_BM) == rows * slots_each && std::ssize(km_BM) == rows * slots_each);
  GRATICULE_CHECK(threads >= 1);
  std::atomic<int64_t> taken = 0;
  const auto serve = [&] {
    Work work;
    for (int64_t first; (first = taken.fetch_add(kAnchorsPerTurn)) < rows;) {
      for (int64_t b = first; b < std::min(rows, first + kAnchorsPerTurn); ++b) {
        Rng rng = rng_of(b);
        DrawWith(work, anchors[b], rng, index_BM.subspan(b * slots_each, slots_each),
                 km_BM.subspan(b * slots_each, slots_each), near_share);
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (int t = 1; t < threads; ++t) helpers.emplace_back(serve);
  serve();
}

std::vector<int64_t> SharedUnion(std::span<const int64_t> index_BM) {
  std::unordered_set<int64_t> seen;
  std::vector<int64_t> shared;
  for (const int64_t index : index_BM)
    if (index >= 0 && seen.insert(index).second) shared.push_back(index);
  return shared;
}

}  // namespace graticule
