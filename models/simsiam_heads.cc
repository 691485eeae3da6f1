#include "models/simsiam_heads.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "models/initialise.h"

namespace graticule {

std::vector<NamedTensor> MakeSimSiamHeads(const SimSiamShape& shape, std::optional<uint64_t> seed) {
  const at::NoGradGuard no_grad;
  std::vector<NamedTensor> parameters;
  const auto add = [&](const std::string& name, const at::Tensor& values, std::optional<int64_t> fan_in) {
    NamedTensor p{name, values};
    if (fan_in && seed) FillUniform(p.tensor, 1 / std::sqrt(static_cast<double>(*fan_in)), *seed, name);
    p.tensor.requires_grad_(true);
    parameters.push_back(std::move(p));
  };
  const auto linear = [&](const std::string& network, int at, int64_t out, int64_t in) {
    add(network + std::to_string(at) + ".weight", at::empty({out, in}, at::kFloat), in);
  };
  const auto normed = [&](const std::string& network, int at, int64_t out, int64_t in) {
    const std::string norm = network + std::to_string(at + 1);
    linear(network, at, out, in);
    add(norm + ".weight", at::ones({out}, at::kFloat), {});
    add(norm + ".bias", at::zeros({out}, at::kFloat), {});
  };
  normed("projector.", 0, shape.width, shape.inputs);
  normed("projector.", 3, shape.width, shape.width);
  linear("projector.", 6, shape.width, shape.width);
  normed("predictor.", 0, shape.hidden, shape.width);
  linear("predictor.", 3, shape.width, shape.hidden);
  add("predictor.3.bias", at::empty({shape.width}, at::kFloat), shape.hidden);
  return parameters;
}

int64_t CountSimSiamHeads(const SimSiamShape& shape) {
  const int64_t w = shape.width, h = shape.hidden;
  return w * (shape.inputs + 2 * w + 4) + h * (w + 2) + w * (h + 1);
}

}  // namespace graticule
