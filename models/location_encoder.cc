#include "models/location_encoder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "geo/projection.h"
#include "models/initialise.h"
#include "models/tensor_io.h"

namespace graticule {
namespace {

constexpr size_t kPerCapsule = 9;  // frequencies, and weight and bias of four layers

// As the published package does it, one single-precision operation after the other.
at::Tensor EqualEarthInSinglePrecision(const at::Tensor& latlon_N2) {
  constexpr double kA1 = 1.340264, kA2 = -0.081106, kA3 = 0.000893, kA4 = 0.003796, kScale = 66.50336;
  const at::Tensor lat = at::deg2rad(latlon_N2.select(1, 0)), lon = at::deg2rad(latlon_N2.select(1, 1));
  const at::Tensor root3 = at::sqrt(at::scalar_tensor(3.0, latlon_N2.options()));
  const at::Tensor theta = at::asin(root3 / 2 * at::sin(lat));
  const at::Tensor under =
      3 * (9 * kA4 * at::pow(theta, 8) + 7 * kA3 * at::pow(theta, 6) + 3 * kA2 * at::pow(theta, 2) + kA1);
  const at::Tensor x = 2 * root3 * lon * at::cos(theta) / under;
  const at::Tensor y =
      kA4 * at::pow(theta, 9) + kA3 * at::pow(theta, 7) + kA2 * at::pow(theta, 3) + kA1 * theta;
  return at::stack({x, y}, 1) * kScale / 180;
}

}  // namespace

LocationEncoder::LocationEncoder(const LocationShape& shape, std::optional<uint64_t> seed) : shape_(shape) {
  const bool known = shape.projection == "equal_earth" || shape.projection == "web_mercator";
  if (shape.sigmas.empty() || shape.features < 1 || shape.width < 1 || shape.outputs < 1 || !known ||
      (shape.parity && shape.projection != "equal_earth")) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("a location encoder of {} scales, {} frequencies, width {}, {} outputs, projection "
                    "\"{}\"{} cannot be built",
                    shape.sigmas.size(), shape.features, shape.width, shape.outputs, shape.projection,
                    shape.parity ? " in parity with the package" : ""),
        "", "projections: equal_earth (parity knows this one alone), web_mercator");
  }
  for (size_t capsule = 0; capsule < shape.sigmas.size(); ++capsule) Build(capsule, seed);
}

void LocationEncoder::Build(size_t capsule, std::optional<uint64_t> seed) {
  const at::NoGradGuard no_grad;
  const std::string prefix = fmt::format("LocEnc{}.", capsule);
  at::Tensor frequencies = at::empty({shape_.features, 2}, at::kFloat);
  if (seed) FillNormal(frequencies, shape_.sigmas[capsule], *seed, prefix + "capsule.0.b");
  parameters_.push_back({prefix + "capsule.0.b", frequencies});
  const auto layer = [&](const std::string& name, int64_t out, int64_t in) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    NamedTensor weight{prefix + name + ".weight", at::empty({out, in}, at::kFloat)};
    NamedTensor bias{prefix + name + ".bias", at::empty({out}, at::kFloat)};
    for (NamedTensor* p : {&weight, &bias}) {
      if (seed) FillUniform(p->tensor, bound, *seed, p->name);
      p->tensor.requires_grad_(true);
      parameters_.push_back(*p);
    }
  };
  layer("capsule.1", shape_.width, 2 * shape_.features);
  layer("capsule.3", shape_.width, shape_.width);
  layer("capsule.5", shape_.width, shape_.width);
  layer("head.0", shape_.outputs, shape_.width);
}

at::Tensor LocationEncoder::Project(std::span<const LatLon> places) const {
  const at::TensorOptions own = parameters_.front().tensor.options().requires_grad(false);
  at::Tensor points = at::empty({static_cast<int64_t>(places.size()), 2}, at::kDouble);
  double* out = points.mutable_data_ptr<double>();
  for (const LatLon place : places) {
    const PlanePoint p = shape_.parity                         ? PlanePoint{place.lat_deg, place.lon_deg}
                         : shape_.projection == "web_mercator" ? WebMercator(place)
                                                               : EqualEarth(place);
    *out++ = p.x;
    *out++ = p.y;
  }
  points = points.to(own);
  return shape_.parity ? EqualEarthInSinglePrecision(points) : points;
}

// Written out, since a product of matrices may run in TF32, whose ten bits are nothing to a thousand turns.
at::Tensor LocationEncoder::Phases(const at::Tensor& points_N2, const at::Tensor& frequencies_F2) const {
  const at::Tensor turns_N2 = 2 * std::numbers::pi * points_N2;
  if (shape_.parity) return at::matmul(turns_N2, frequencies_F2.t());
  const at::Tensor x = turns_N2.narrow(1, 0, 1), y = turns_N2.narrow(1, 1, 1);
  return at::addcmul(x * frequencies_F2.select(1, 0), y, frequencies_F2.select(1, 1));
}

at::Tensor LocationEncoder::Forward(std::span<const LatLon> places) const {
  const at::Tensor points_N2 = Project(places);
  at::Tensor sum;
  for (size_t first = 0; first < parameters_.size(); first += kPerCapsule) {
    const auto at_index = [&](size_t i) -> const at::Tensor& { return parameters_[first + i].tensor; };
    const at::Tensor phase = Phases(points_N2, at_index(0));
    at::Tensor x = at::cat({at::cos(phase), at::sin(phase)}, 1);
    for (size_t layer = 1; layer < 7; layer += 2)
      x = at::relu(at::linear(x, at_index(layer), at_index(layer + 1)));
    x = at::linear(x, at_index(7), at_index(8));
    sum = sum.defined() ? sum + x : x;
  }
  return sum;
}

void LocationEncoder::Freeze(const std::vector<bool>& frozen) {
  if (frozen.size() != 1 && frozen.size() != shape_.sigmas.size()) {
    throw Error(ErrorCode::kUsage, fmt::format("{} capsules are to be frozen or not, there are {}",
                                               frozen.size(), shape_.sigmas.size()));
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const size_t capsule = i / kPerCapsule;
    const bool fixed = frozen.size() == 1 ? frozen[0] : frozen[capsule];
    parameters_[i].tensor.requires_grad_(!fixed && i % kPerCapsule != 0);
  }
}

void LocationEncoder::To(const at::Device& device) {
  const at::NoGradGuard no_grad;
  for (NamedTensor& p : parameters_) p.tensor.set_data(p.tensor.to(device));
}

std::string LocationSha256(const LocationEncoder& tower) {
  const LocationShape& s = tower.shape();
  return TensorsSha256(fmt::format("projection {} parity {}\n", s.projection, s.parity), tower.parameters());
}

}  // namespace graticule
