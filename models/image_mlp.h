// GeoCLIP's image head: an image embedding of CLIP into the space that places share.
//
// Linear, ReLU, Linear, fp32, under the names that the package gives them: "0.weight" [H, I], "0.bias",
// "2.weight" [O, H], "2.bias". The tensors are handles, as in models/vision_tower.h. Not thread-safe. Bad
// shapes are Error(kUsage). Source: Vivanco Cepeda et al. 2023 (GeoCLIP, arXiv 2309.16020) section 3.1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "models/vision_tower.h"

namespace graticule {

struct ImageMlpShape {
  int64_t inputs = 768;  // what CLIP ViT-L/14 projects to
  int64_t hidden = 768;
  int64_t outputs = 512;
};

class ImageMlp {
 public:
  // Random weights keyed by (seed, parameter name), as linear layers start in PyTorch; nullopt leaves the
  // memory for a loader to fill.
  ImageMlp(const ImageMlpShape& shape, std::optional<uint64_t> seed);

  // embeddings_BI as CLIP projects them, not normalised -> [B, outputs], not normalised either.
  at::Tensor Forward(const at::Tensor& embeddings_BI) const;

  void To(const at::Device& device);

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  const ImageMlpShape& shape() const { return shape_; }

 private:
  ImageMlpShape shape_;
  std::vector<NamedTensor> parameters_;  // in the order of the names above
};

}  // namespace graticule
