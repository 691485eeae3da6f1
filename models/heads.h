// Linear heads on the pooled tower output, named "heads.<name>.weight" and "heads.<name>.bias".
//
// "geocell" has one output per cell (row of the cell table), "climate" 30, "month" 12, "regression" 6 (order
// of Batch::aux_B6). They compute in fp32. Initial values: uniform in +-1/sqrt(width), keyed by name. Not
// thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/vision_tower.h"

namespace graticule {

inline constexpr int64_t kClimateClasses = 30, kMonthClasses = 12, kRegressionTargets = 6;

// What the heads see. "mean": fp32 mean over all tokens, class token included; "cls": pooler_output.
at::Tensor Pool(const VisionOutput& output, const std::string& pooling);

class Heads {
 public:
  struct Head {
    std::string name;
    int64_t outputs = 0;
  };

  Heads(int64_t width, std::vector<Head> heads, std::optional<uint64_t> seed);

  // pooled_BW fp32 -> one [B, outputs] per head, in the order given at construction.
  std::vector<at::Tensor> Forward(const at::Tensor& pooled_BW) const;

  const std::vector<Head>& heads() const { return heads_; }
  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  void To(const at::Device& device);

 private:
  std::vector<Head> heads_;
  std::vector<NamedTensor> parameters_;
};

}  // namespace graticule
