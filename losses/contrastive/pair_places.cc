#include "losses/contrastive/pair_places.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace graticule {
namespace {

constexpr double kNever = 2;  // no closeness is above 1

std::vector<size_t> KeysInUse(const MaskConfig& mask) {
  std::vector<size_t> used;
  for (const std::string& key : mask.same) used.push_back(key == "place" ? 0 : key == "author" ? 1 : 2);
  return used;
}

// rows [R, 1, ...], columns [1, C, ...] or [R, M, ...]: everything but distance.
at::Tensor LeftOutBroadcast(const at::Tensor& near, const PairPlaces& rows, const PairPlaces& columns,
                            at::IntArrayRef column_shape) {
  at::Tensor out = near;
  const auto add = [&](const at::Tensor& more) { out = out.defined() ? out.logical_or(more) : more; };
  for (int64_t k = 0; k < rows.keys_NK.size(1) && columns.keys_NK.size(1) > 0; ++k) {
    const at::Tensor own = rows.keys_NK.select(1, k).unsqueeze(1);
    add((own == columns.keys_NK.select(1, k).view(column_shape)).logical_and(own != 0));
  }
  if (!columns.all_valid) add(columns.valid_N.logical_not().view(column_shape));
  if (columns.several_views) add(rows.sample_N.unsqueeze(1) == columns.sample_N.view(column_shape));
  return out;
}

}  // namespace

double ClosenessAt(double km) {
  const double half_chord = std::sin(std::min(km / kPairRadiusKm, M_PI) / 2);
  return 1 - 2 * half_chord * half_chord;
}

PairPlaces PairPlaces::Of(std::span<const LatLon> places, std::span<const PairKeys> keys,
                          const MaskConfig& mask, int64_t first_sample, c10::Device device,
                          std::span<const double> own_km) {
  GRATICULE_CHECK(keys.empty() || keys.size() == places.size());
  const std::vector<size_t> used = keys.empty() ? std::vector<size_t>{} : KeysInUse(mask);
  const auto n = static_cast<int64_t>(places.size()), k = static_cast<int64_t>(used.size());
  PairPlaces made;
  made.unit_N3 = at::zeros({n, 3}, at::kDouble);
  made.keys_NK = at::zeros({n, k}, at::kLong);
  made.valid_N = at::zeros({n}, at::kBool);
  double* unit = made.unit_N3.mutable_data_ptr<double>();
  int64_t* key = made.keys_NK.mutable_data_ptr<int64_t>();
  bool* valid = made.valid_N.mutable_data_ptr<bool>();
  for (size_t i = 0; i < places.size(); ++i, unit += 3) {
    valid[i] = IsValid(places[i]);
    made.all_valid = made.all_valid && valid[i];
    const UnitVector v = valid[i] ? ToUnitVector(places[i]) : UnitVector{1, 0, 0};
    unit[0] = v.x, unit[1] = v.y, unit[2] = v.z;
    for (const size_t which : used) *key++ = static_cast<int64_t>(keys[i][which]);
  }
  if (mask.km > 0 || !own_km.empty()) {
    made.limit_N = at::empty({n}, at::kDouble);
    double* limit = made.limit_N.mutable_data_ptr<double>();
    for (size_t i = 0; i < places.size(); ++i) {
      const double km = std::max(mask.km, own_km.empty() ? 0 : own_km[i]);
      limit[i] = km > 0 ? ClosenessAt(km) : kNever;
    }
    made.limit_N = made.limit_N.to(device);
  }
  made.unit_N3 = made.unit_N3.to(device);
  made.keys_NK = made.keys_NK.to(device);
  made.valid_N = made.valid_N.to(device);
  const at::TensorOptions longs = at::TensorOptions(at::kLong).device(device);
  made.sample_N =
      first_sample < 0 ? at::full({n}, -1, longs) : at::arange(first_sample, first_sample + n, longs);
  return made;
}

template <class Function>
PairPlaces PairPlaces::Each(const Function& change) const {
  PairPlaces made = *this;
  for (at::Tensor* t :
       {&made.unit_N3, &made.keys_NK, &made.valid_N, &made.sample_N, &made.limit_N, &made.features_NF}) {
    if (t->defined()) *t = change(*t);
  }
  return made;
}

PairPlaces PairPlaces::Narrow(int64_t begin, int64_t count) const {
  return Each([&](const at::Tensor& t) { return t.narrow(0, begin, count); });
}

PairPlaces PairPlaces::Repeat(int64_t views) const {
  if (views == 1) return *this;
  PairPlaces all = Each([&](const at::Tensor& t) { return t.repeat_interleave(views, 0); });
  all.several_views = true;
  return all;
}

PairPlaces PairPlaces::PerRow(int64_t samples, int64_t views) const {
  if (views == 1) return *this;
  return Each([&](const at::Tensor& t) {
    return t.unflatten(0, {samples, -1}).repeat_interleave(views, 0).flatten(0, 1);
  });
}

PairPlaces PairPlaces::Join(const PairPlaces& a, const PairPlaces& b) {
  PairPlaces all;
  all.unit_N3 = at::cat({a.unit_N3, b.unit_N3});
  all.valid_N = at::cat({a.valid_N, b.valid_N});
  all.sample_N = at::cat({a.sample_N, b.sample_N});
  const int64_t k = std::max(a.keys_NK.size(1), b.keys_NK.size(1));
  const auto padded = [&](const at::Tensor& keys) {  // unknown keys match nothing
    return keys.size(1) == k ? keys : at::zeros({keys.size(0), k}, keys.options());
  };
  all.keys_NK = at::cat({padded(a.keys_NK), padded(b.keys_NK)});
  if (a.limit_N.defined() || b.limit_N.defined()) {
    const auto limits = [](const PairPlaces& p) {
      return p.limit_N.defined() ? p.limit_N : at::full({p.size()}, kNever, p.unit_N3.options());
    };
    all.limit_N = at::cat({limits(a), limits(b)});
  }
  if (a.features_NF.defined()) {
    all.features_NF =
        at::cat({a.features_NF, b.features_NF.defined()
                                    ? b.features_NF
                                    : at::zeros({b.size(), a.features_NF.size(1)}, a.features_NF.options())});
  }
  all.all_valid = a.all_valid && b.all_valid;
  all.several_views = a.several_views || b.several_views;
  return all;
}

at::Tensor Closeness(const PairPlaces& rows, const PairPlaces& columns) {
  return at::mm(rows.unit_N3, columns.unit_N3.t());
}

at::Tensor FeatureDistance(const PairPlaces& rows, const PairPlaces& columns) {
  const auto no_image = [](const PairPlaces& items) { return items.features_NF.abs().amax(1) == 0; };
  return (1 - at::mm(rows.features_NF, columns.features_NF.t()))
      .masked_fill_(no_image(rows).unsqueeze(1).logical_or(no_image(columns)),
                    std::numeric_limits<double>::quiet_NaN());
}

at::Tensor LeftOut(const PairPlaces& rows, const PairPlaces& columns, const at::Tensor& closeness_RC) {
  at::Tensor near;
  if (columns.limit_N.defined())
    near = (closeness_RC.defined() ? closeness_RC : Closeness(rows, columns)) > columns.limit_N;
  return LeftOutBroadcast(near, rows, columns, {1, columns.size()});
}

at::Tensor ClosenessOwn(const PairPlaces& rows, const PairPlaces& columns) {
  const at::Tensor own_RM3 = columns.unit_N3.view({rows.size(), -1, 3});
  return (own_RM3 * rows.unit_N3.unsqueeze(1)).sum(2);
}

at::Tensor LeftOutOwn(const PairPlaces& rows, const PairPlaces& columns) {
  at::Tensor near;
  if (columns.limit_N.defined()) near = ClosenessOwn(rows, columns) > columns.limit_N.view({rows.size(), -1});
  return LeftOutBroadcast(near, rows, columns, {rows.size(), -1});
}

}  // namespace graticule
