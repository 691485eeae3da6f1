#include "trainer/recipes/gps_queue.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/error.h"

namespace graticule {

GpsQueue::GpsQueue(int64_t slots, int64_t features, c10::Device device)
    : latlon_(at::full({slots, 2}, std::numeric_limits<double>::quiet_NaN(), at::kDouble)),
      keys_(at::zeros({slots, 3}, at::kLong)),
      ptr_(at::zeros({1}, at::kLong)),
      filled_(at::zeros({1}, at::kLong)),
      tensors_{{"gps_queue.latlon", latlon_},
               {"gps_queue.keys", keys_},
               {"gps_queue.ptr", ptr_},
               {"gps_queue.filled", filled_}} {
  if (slots == 0 || features == 0) return;
  features_ = at::zeros({slots, features}, at::TensorOptions(at::kHalf).device(device));
  tensors_.push_back({"gps_queue.feat", features_});
}

void GpsQueue::Set(int64_t slot, LatLon place, const PairKeys& keys) {
  double* latlon = latlon_.mutable_data_ptr<double>() + 2 * slot;
  latlon[0] = place.lat_deg, latlon[1] = place.lon_deg;
  int64_t* key = keys_.mutable_data_ptr<int64_t>() + 3 * slot;
  for (size_t k = 0; k < keys.size(); ++k) key[k] = static_cast<int64_t>(keys[k]);
}

void GpsQueue::Fill(std::span<const LatLon> places) {
  if (places.empty()) return;
  for (int64_t slot = 0; slot < slots(); ++slot)
    Set(slot, places[static_cast<size_t>(slot) % places.size()], {});
}

void GpsQueue::Push(std::span<const LatLon> places, std::span<const PairKeys> keys,
                    const at::Tensor& features_NF) {
  if (slots() == 0) return;
  std::map<int64_t, int64_t> row_of;  // slot -> the last row that it got
  int64_t& ptr = *ptr_.mutable_data_ptr<int64_t>();
  int64_t& filled = *filled_.mutable_data_ptr<int64_t>();
  for (size_t i = 0; i < places.size(); ++i) {
    if (!IsValid(places[i])) continue;
    Set(ptr, places[i], keys.empty() ? PairKeys{} : keys[i]);
    row_of[ptr] = static_cast<int64_t>(i);
    ptr = (ptr + 1) % slots();
    filled = std::min(filled + 1, slots());
  }
  if (!features_.defined()) return;
  GRATICULE_CHECK(features_NF.size(0) == std::ssize(places));
  std::vector<int64_t> slots_written, rows;
  for (const auto& [slot, row] : row_of) slots_written.push_back(slot), rows.push_back(row);
  const auto index = [&](const std::vector<int64_t>& i) {
    return at::tensor(i, at::kLong).to(features_.device());
  };
  features_.index_copy_(0, index(slots_written), features_NF.index_select(0, index(rows)).to(at::kHalf));
}

std::vector<LatLon> GpsQueue::places() const {
  std::vector<LatLon> places;
  const double* latlon = latlon_.const_data_ptr<double>();
  for (int64_t slot = 0; slot < slots(); ++slot, latlon += 2) places.push_back({latlon[0], latlon[1]});
  return places;
}

std::vector<PairKeys> GpsQueue::keys() const {
  std::vector<PairKeys> keys;
  const int64_t* key = keys_.const_data_ptr<int64_t>();
  for (int64_t slot = 0; slot < slots(); ++slot, key += 3) {
    keys.push_back(
        {static_cast<uint64_t>(key[0]), static_cast<uint64_t>(key[1]), static_cast<uint64_t>(key[2])});
  }
  return keys;
}

}  // namespace graticule
