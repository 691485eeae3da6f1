#include "trainer/recipes/best_places.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "geo/place_grid.h"

namespace graticule {
namespace {

std::vector<int64_t> UpTo(size_t n) {
  std::vector<int64_t> rows(n);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<LatLon> Chosen(std::span<const LatLon> all, const std::vector<int64_t>& rows) {
  std::vector<LatLon> places;
  places.reserve(rows.size());
  for (const int64_t row : rows) places.push_back(all[static_cast<size_t>(row)]);
  return places;
}

}  // namespace

PlaceChoice::PlaceChoice(std::span<const LatLon> all, std::vector<int64_t> rows, const at::Tensor& repeats_N)
    : rows_(std::move(rows)),
      places_(Chosen(all, rows_)),
      log_repeats_N_(repeats_N.to(at::kFloat).log()),
      tree_(places_, UpTo(places_.size())) {}

PlaceChoice PlaceChoice::OfCells(std::span<const LatLon> centres) {
  return {centres, UpTo(centres.size()), at::ones({std::ssize(centres)})};
}

PlaceChoice PlaceChoice::OfGallery(std::span<const LatLon> rows) {
  PlaceMerge merge = MergePlaces(rows);
  const at::Tensor repeats_N = at::bincount(at::tensor(merge.row_of, at::kLong), {}, std::ssize(merge.kept));
  return {rows, std::move(merge.kept), repeats_N};
}

double PlaceChoice::ProbabilityNear(LatLon place, double km, const float* probability_N) const {
  RingCover cover;
  tree_.Cover(place, /*low_km=*/-1, km, cover);
  double sum = 0;
  for (int64_t i = 0; i < cover.size(); ++i) {
    const uint32_t slot = cover.At(i);
    if (HaversineKm(place, tree_.place(slot)) < km) sum += probability_N[tree_.row(slot)];
  }
  return sum;
}

std::vector<std::vector<Prediction>> PlaceChoice::Best(const at::Tensor& logits_BN, int k,
                                                       double near_km) const {
  const int64_t all = std::ssize(rows_), best = std::min<int64_t>(k, all);
  GRATICULE_CHECK(logits_BN.dim() == 2 && logits_BN.size(1) == all);
  const at::Tensor logits = logits_BN.to(at::kFloat);
  const at::Tensor probability_BN =
      at::softmax(logits + log_repeats_N_.to(logits.device()), 1).to(at::kCPU).contiguous();
  const at::Tensor columns_Bk =
      std::get<1>(at::topk(logits, best, 1, /*largest=*/true, /*sorted=*/true)).to(at::kCPU).contiguous();
  std::vector<std::vector<Prediction>> predictions(static_cast<size_t>(logits.size(0)));
  const float* probability_N = probability_BN.const_data_ptr<float>();
  const int64_t* column = columns_Bk.const_data_ptr<int64_t>();
  for (auto& found : predictions) {
    for (int64_t i = 0; i < best; ++i, ++column) {
      const auto n = static_cast<size_t>(*column);
      found.push_back(
          {places_[n], rows_[n], probability_N[n], ProbabilityNear(places_[n], near_km, probability_N)});
    }
    probability_N += all;
  }
  return predictions;
}

}  // namespace graticule
