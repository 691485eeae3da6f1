// The two networks of SimSiam, as parameters: a projector of three linear maps, each with batch norm, ReLU
// between them; a predictor of a linear map with batch norm, ReLU, and a linear map. They are used in
// training alone (losses/simsiam/simsiam_loss.h computes with them); exports leave them out.
//
// Names and shapes are those of two torch.nn.Sequential: projector.{0,3,6}.weight, the norms
// projector.{1,4}.{weight,bias}; predictor.0.weight, its norm predictor.1.{weight,bias},
// predictor.3.{weight,bias}. A map in front of a norm has no bias: the norm's shift is one. The projector's
// last norm has neither scale nor shift: the predictor's own norm undoes a shift, so its true gradient is
// zero, and Adam would make steps of the rounding. fp32. The tensors are handles, as in
// models/vision_tower.h.
// Source: Chen and He 2021 (SimSiam, arXiv 2011.10566) section 3.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/vision_tower.h"

namespace graticule {

struct SimSiamShape {
  int64_t inputs = 512;  // D, of the features
  int64_t width = 512;   // W, of the projector's layers and the prediction
  int64_t hidden = 256;  // H, of the predictor
};

// In the order in which the loss takes them. Random weights keyed by (seed, name), as linear layers start in
// PyTorch, norms with scale 1 and shift 0; nullopt leaves the memory for a loader to fill.
std::vector<NamedTensor> MakeSimSiamHeads(const SimSiamShape& shape, std::optional<uint64_t> seed);

// Values in all of them.
int64_t CountSimSiamHeads(const SimSiamShape& shape);

}  // namespace graticule
