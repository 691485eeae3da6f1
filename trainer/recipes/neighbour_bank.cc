#include "trainer/recipes/neighbour_bank.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "losses/contrastive/pair_places.h"

namespace graticule {
namespace {

constexpr int64_t kBlockPairs = 1 << 21;  // 16 MiB of distances at a time

}  // namespace

NeighbourBank::NeighbourBank(int64_t slots, int64_t width, c10::Device device)
    : emb_SD_(at::zeros({slots, width}, at::TensorOptions(at::kFloat).device(device))),
      latlon_S2_(at::full({slots, 2}, std::numeric_limits<double>::quiet_NaN(), at::kDouble)),
      ptr_(at::zeros({1}, at::kLong)) {}

LatLon NeighbourBank::place(int64_t slot) const {
  const double* latlon = latlon_S2_.const_data_ptr<double>() + 2 * slot;
  return {latlon[0], latlon[1]};
}

void NeighbourBank::Push(const at::Tensor& rows_ND, std::span<const LatLon> places) {
  GRATICULE_CHECK(rows_ND.size(0) == std::ssize(places));
  const at::NoGradGuard no_grad;
  std::vector<int64_t> rows, slots_of_rows;
  for (int64_t i = 0; i < std::ssize(places); ++i) {
    if (IsValid(places[static_cast<size_t>(i)])) rows.push_back(i);
  }
  // Of more rows than slots only the last ones would stay.
  const int64_t passed_over = std::max<int64_t>(0, std::ssize(rows) - slots());
  rows.erase(rows.begin(), rows.begin() + passed_over);
  if (rows.empty()) return;
  int64_t& ptr = *ptr_.mutable_data_ptr<int64_t>();
  ptr = (ptr + passed_over) % slots();
  for (const int64_t row : rows) {
    double* latlon = latlon_S2_.mutable_data_ptr<double>() + 2 * ptr;
    const LatLon place = places[static_cast<size_t>(row)];
    latlon[0] = place.lat_deg, latlon[1] = place.lon_deg;
    slots_of_rows.push_back(ptr);
    ptr = (ptr + 1) % slots();
  }
  const auto index = [&](const std::vector<int64_t>& list) {
    return at::tensor(list, at::TensorOptions(at::kLong)).to(emb_SD_.device());
  };
  emb_SD_.index_copy_(0, index(slots_of_rows), rows_ND.index_select(0, index(rows)).to(at::kFloat));
}

at::Tensor NeighbourBank::Nearest(const at::Tensor& rows_BD, std::span<const LatLon> places, double min_km,
                                  double max_km) const {
  const at::NoGradGuard no_grad;
  std::vector<LatLon> all;
  for (int64_t slot = 0; slot < slots(); ++slot) all.push_back(place(slot));
  const c10::Device device = emb_SD_.device();
  const PairPlaces here = PairPlaces::Of(places, {}, {}, -1, device),
                   there = PairPlaces::Of(all, {}, {}, -1, device);
  // Rounding may put two equal places a little beyond a closeness of 1.
  const double closest = min_km > 0 ? ClosenessAt(min_km) : 2, farthest = ClosenessAt(max_km);
  const int64_t samples = rows_BD.size(0);
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  at::Tensor best = at::full({samples}, kNone, rows_BD.options());
  at::Tensor slot_of_best = at::full({samples}, -1, at::TensorOptions(at::kLong).device(device));
  const int64_t block = std::max<int64_t>(1, kBlockPairs / samples);
  for (int64_t begin = 0; begin < slots(); begin += block) {
    const int64_t count = std::min(block, slots() - begin);
    const PairPlaces piece = there.Narrow(begin, count);
    const at::Tensor closeness = Closeness(here, piece);
    const at::Tensor passed_over = closeness.gt(closest)
                                       .logical_or_(closeness.lt(farthest))
                                       .logical_or_(here.valid_N.logical_not().unsqueeze(1))
                                       .logical_or_(piece.valid_N.logical_not());
    const at::Tensor emb = emb_SD_.narrow(0, begin, count).to(rows_BD.scalar_type());
    const at::Tensor cosines = at::mm(rows_BD, emb.t());
    // A step that is not finite leaves rows that are no numbers; the largest of a block must not be one.
    const auto [value, index] = cosines.masked_fill(passed_over.logical_or_(cosines.isnan()), kNone).max(1);
    const at::Tensor better = value > best;
    best = at::where(better, value, best);
    slot_of_best = at::where(better, index + begin, slot_of_best);
  }
  return slot_of_best;
}

at::Tensor NeighbourBank::Rows(const at::Tensor& slots_B) const {
  return emb_SD_.index_select(0, slots_B.clamp_min(0));
}

std::vector<NamedTensor> NeighbourBank::tensors() const {
  return {{"nn_bank.emb", emb_SD_}, {"nn_bank.latlon", latlon_S2_}, {"nn_bank.ptr", ptr_}};
}

}  // namespace graticule
