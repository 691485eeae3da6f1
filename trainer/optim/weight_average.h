// The moving average of the trained weights, kept beside them: average = d * average + (1 - d) * weights
// after every update, with d = min(decay, (1 + n) / (10 + n)) at update n = 0, 1, ... The start is forgotten
// within some tens of updates, and a young average spans the last tenth of the run until 1 / (1 - decay)
// updates are less than that.
//
// Invariants: fp32; a step whose `found_inf` is 1 changes nothing, not even n; nothing is read on the host.
// All ranks hold equal weights and so equal averages without talking. Ownership: the averages; the parameters
// are those of the model and share its memory. Not thread-safe. Cannot fail. Source: Polyak and Juditsky
// 1992; the growing d is TensorFlow's ExponentialMovingAverage.
#pragma once

#include <ATen/core/Tensor.h>

#include <exception>
#include <vector>

#include "models/vision_tower.h"

namespace graticule {

class WeightAverage {
 public:
  // Starts as the parameters' values of now.
  WeightAverage(double decay, std::vector<NamedTensor> parameters);

  // found_inf: fp32 [1] on the device of the parameters; 0 or 1.
  void Update(const at::Tensor& found_inf);

  // Begins again with the parameters' values of now.
  void Restart();

  // Swaps the values of the parameters and of their averages; once more swaps them back, bit for bit.
  void Exchange();

  static constexpr const char* kUpdates = "updates";
  // The averages under their parameters' names, and kUpdates (n, fp32 scalar). The live tensors, not copies.
  std::vector<NamedTensor> State() const;

 private:
  const double decay_;
  const std::vector<NamedTensor> parameters_;
  std::vector<at::Tensor> averages_;
  at::Tensor updates_;
};

// As long as it lives the model computes with the averages. average may be null: then with what it has.
class WithAverage {
 public:
  explicit WithAverage(WeightAverage* average) : average_(average) {
    if (average_ != nullptr) average_->Exchange();
  }
  // Weights that cannot be had back are an error; where one is under way already, the model is lost anyway.
  ~WithAverage() noexcept(false) {
    try {
      if (average_ != nullptr) average_->Exchange();
    } catch (...) {
      if (std::uncaught_exceptions() == 0) throw;
    }
  }
  WithAverage(const WithAverage&) = delete;
  WithAverage& operator=(const WithAverage&) = delete;

 private:
  WeightAverage* average_;
};

}  // namespace graticule
