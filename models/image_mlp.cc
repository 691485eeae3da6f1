#include "models/image_mlp.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "models/initialise.h"

namespace graticule {

ImageMlp::ImageMlp(const ImageMlpShape& shape, std::optional<uint64_t> seed) : shape_(shape) {
  if (shape.inputs < 1 || shape.hidden < 1 || shape.outputs < 1)
    throw Error(ErrorCode::kUsage, fmt::format("an image head of {} inputs, {} hidden values and {} outputs "
                                               "cannot be built",
                                               shape.inputs, shape.hidden, shape.outputs));
  const at::NoGradGuard no_grad;
  const auto layer = [&](const std::string& name, int64_t out, int64_t in) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    NamedTensor weight{name + ".weight", at::empty({out, in}, at::kFloat)};
    NamedTensor bias{name + ".bias", at::empty({out}, at::kFloat)};
    for (NamedTensor* p : {&weight, &bias}) {
      if (seed) FillUniform(p->tensor, bound, *seed, p->name);
      p->tensor.requires_grad_(true);
      parameters_.push_back(std::move(*p));
    }
  };
  layer("0", shape.hidden, shape.inputs);
  layer("2", shape.outputs, shape.hidden);
}

at::Tensor ImageMlp::Forward(const at::Tensor& embeddings_BI) const {
  const at::Tensor hidden_BH =
      at::relu(at::linear(embeddings_BI, parameters_[0].tensor, parameters_[1].tensor));
  return at::linear(hidden_BH, parameters_[2].tensor, parameters_[3].tensor);
}

void ImageMlp::To(const at::Device& device) {
  const at::NoGradGuard no_grad;
  for (NamedTensor& p : parameters_) p.tensor.set_data(p.tensor.to(device));
}

}  // namespace graticule
