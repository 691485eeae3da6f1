// What is trained (docs/DETERMINISM.md). A recipe owns the model, encodes a micro-batch and turns outputs
// into named loss terms, each a sum and the weight it must be divided by; the step loop sums the weights of
// the whole global batch before the first backward, so masks, accumulation and the number of ranks never
// change the objective. Adding one: a file pair in trainer/recipes/, a line in registry.cc, a config, a test.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/comm/communicator.h"
#include "data/batch.h"
#include "geo/latlon.h"
#include "models/vision_tower.h"

namespace graticule {

// One named loss term over a micro-batch: objective contribution = scale * sum / global_weight.
struct LossTerm {
  std::string name;  // "geocell", "climate", "infonce", ...
  at::Tensor sum;    // scalar with a graph
  double scale = 1;  // config weight (alpha); 0: only observed, without a graph
};

// Parameters that share optimiser settings.
struct ParameterGroup {
  std::string name;
  std::vector<NamedTensor> parameters;
  double lr_scale = 1;
  bool weight_decay = true;
};

// What a recipe encodes: normalised pixels, or in their place what its frozen tower once made of them, or
// places (recipes that have a tower for them).
struct EncoderInput {
  at::Tensor images_B3HW;    // fp32
  at::Tensor embeddings_BD;  // fp32; undefined unless the loader serves them
  std::span<const LatLon> places = {};
};

struct Prediction {
  LatLon place;
  int64_t cell = -1;  // row of the cell table, or of the gallery
  double probability = 0;
  double near_probability = 0;  // summed over all places nearer than near_km to this one
};
// What "near" means where nobody says otherwise.
inline constexpr double kNearKm = 25;

class Recipe {
 public:
  virtual ~Recipe() = default;
  virtual std::string name() const = 0;
  // Host-side: the weight (denominator contribution) of each term for this batch, by term name, from labels
  // alone.
  virtual std::map<std::string, double> Weights(const Batch& batch) const = 0;
  // On the device. Returns the recipe's outputs for Terms / Predict; where terms are not additive, only the
  // first has a graph.
  virtual std::vector<at::Tensor> Encode(const EncoderInput& input) = 0;
  // What EncoderInput::embeddings_BD must hold ("mean_tokens") and of which tower (models/frozen_tower.h).
  virtual std::string TowerOutputName() const = 0;
  virtual std::string TowerHash() const = 0;
  virtual std::vector<LossTerm> Terms(const std::vector<at::Tensor>& outputs, const Batch& batch,
                                      Communicator& comm) = 0;
  // Whether terms may be taken of one micro-batch after the other. Where not, Terms is called once a step,
  // with the outputs of all images of the share and then those of PlacesCollective.
  virtual bool additive() const = 0;
  // Collective. Places to be encoded besides the images of this share. first_sample: of the run, before it.
  virtual std::vector<LatLon> PlacesCollective(const Batch& share, int64_t first_sample,
                                               Communicator& control) {
    return {};
  }
  // After the optimiser has changed the weights.
  virtual void AfterUpdate() {}
  // Best places per row, the best first, at most k.
  virtual std::vector<std::vector<Prediction>> Predict(const std::vector<at::Tensor>& outputs, int k,
                                                       double near_km) = 0;
  virtual std::vector<ParameterGroup> Groups() = 0;   // trainable parameters only
  virtual std::vector<NamedTensor> Parameters() = 0;  // everything that belongs into model.safetensors
  // What else changes from step to step, the same on all ranks: recipe_state.safetensors of a checkpoint.
  virtual std::vector<NamedTensor> Buffers() { return {}; }
  virtual VisionTower& tower() = 0;
  // JSON object that must travel with the weights (statistics of targets, ...): kept in state.json and in
  // exports.
  virtual std::string State() const = 0;
};

}  // namespace graticule
