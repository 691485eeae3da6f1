// GeoCLIP's location tower: places to vectors. Each capsule sees the projected place through random Fourier
// features of one scale, then three layers of ReLU and a head; the capsules' heads are added up.
//
// Parameters bear GeoCLIP's names: "LocEnc<i>.capsule.0.b" [F, 2] (drawn once from N(0, sigma_i^2), never
// trained, saved with the rest), "LocEnc<i>.capsule.{1,3,5}.{weight,bias}", "LocEnc<i>.head.0.{weight,bias}".
// The tensors are handles, as in models/vision_tower.h. Fourier features are fp32 (or the parameters' own
// type) also where the tower runs in bf16: at sigma 256 a phase spans a thousand turns. Not thread-safe. Bad
// shapes are Error(kUsage). Source: Vivanco Cepeda et al. 2023 (GeoCLIP, arXiv 2309.16020) section 3.2.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geo/latlon.h"
#include "models/vision_tower.h"

namespace graticule {

struct LocationShape {
  std::vector<double> sigmas = {1, 16, 256};  // one capsule each
  int64_t features = 256;                     // F: frequencies, half of what the first layer sees
  int64_t width = 1024;
  int64_t outputs = 512;
  std::string projection = "equal_earth";  // or "web_mercator"
  // Projects in single precision in the published package's order of operations, longitudes as given.
  bool parity = false;
};

class LocationEncoder {
 public:
  // Random weights keyed by (seed, parameter name), as linear layers start in PyTorch; nullopt leaves the
  // memory for a loader to fill.
  LocationEncoder(const LocationShape& shape, std::optional<uint64_t> seed);

  // [N, outputs], the sum of the capsules, not normalised; on the parameters' device. N may be 0.
  at::Tensor Forward(std::span<const LatLon> places) const;

  // Whose layers get gradients: one entry per capsule, or one for all. Frequencies never do.
  void Freeze(const std::vector<bool>& frozen);
  void To(const at::Device& device);

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  const LocationShape& shape() const { return shape_; }

 private:
  void Build(size_t capsule, std::optional<uint64_t> seed);
  at::Tensor Project(std::span<const LatLon> places) const;                                // [N, 2]
  at::Tensor Phases(const at::Tensor& points_N2, const at::Tensor& frequencies_F2) const;  // [N, F]

  LocationShape shape_;
  std::vector<NamedTensor> parameters_;  // nine per capsule, in the order of the names above
};

// Names the function: of names, shapes and fp32 values of the parameters, and how places are projected.
std::string LocationSha256(const LocationEncoder& tower);

}  // namespace graticule
