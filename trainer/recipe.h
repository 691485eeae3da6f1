// What is trained (docs/DETERMINISM.md). A recipe owns the model, encodes a micro-batch and turns outputs
// into named loss terms, each a sum and the weight it must be divided by; the step loop sums the weights of
// the whole global batch before the first backward, so masks, accumulation and the number of ranks never
// change the objective. Adding one: a file pair in trainer/recipes/, a line in registry.cc, a config, a test.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/comm/communicator.h"
#include "data/batch.h"
#include "geo/latlon.h"
#include "models/vision_tower.h"

namespace graticule {

// One named loss term over a micro-batch: objective contribution = scale * sum / global_weight.
struct LossTerm {
  std::string name;  // "geocell", "climate", "month", "regression"
  at::Tensor sum;    // scalar, fp32, requires grad
  double scale = 1;  // config weight (alpha)
};

// Parameters that share optimiser settings.
struct ParameterGroup {
  std::string name;
  std::vector<NamedTensor> parameters;
  double lr_scale = 1;
  bool weight_decay = true;
};

// What a recipe encodes: normalised pixels, or in their place what its frozen tower once made of them.
struct EncoderInput {
  at::Tensor images_B3HW;    // fp32
  at::Tensor embeddings_BD;  // fp32; undefined unless the loader serves them
};

struct Prediction {
  LatLon place;
  int64_t cell = -1;
  double probability = 0;
};

class Recipe {
 public:
  virtual ~Recipe() = default;
  virtual std::string name() const = 0;
  // Host-side: the weight (denominator contribution) of each term for this batch, by term name, from labels
  // alone.
  virtual std::map<std::string, double> Weights(const Batch& batch) const = 0;
  // On the device. Returns the recipe's outputs for Terms / Predict.
  virtual std::vector<at::Tensor> Encode(const EncoderInput& input) = 0;
  // What EncoderInput::embeddings_BD must hold ("mean_tokens") and of which tower (models/frozen_tower.h).
  virtual std::string TowerOutputName() const = 0;
  virtual std::string TowerHash() const = 0;
  virtual std::vector<LossTerm> Terms(const std::vector<at::Tensor>& outputs, const Batch& batch,
                                      Communicator& comm) = 0;
  virtual bool additive() const = 0;
  // Best places per row, most probable first, at most k.
  virtual std::vector<std::vector<Prediction>> Predict(const std::vector<at::Tensor>& outputs, int k) = 0;
  virtual std::vector<ParameterGroup> Groups() = 0;   // trainable parameters only
  virtual std::vector<NamedTensor> Parameters() = 0;  // everything that belongs into model.safetensors
  // JSON object that must travel with the weights (statistics of targets, ...): kept in state.json and in
  // exports.
  virtual std::string State() const = 0;
};

}  // namespace graticule
