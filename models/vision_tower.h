// CLIP vision tower (ViT), Hugging Face names and semantics (docs/MODELS.md). Any size by config.
//
// Parameters are fp32 master weights named with HF keys
// ("vision_model.encoder.layers.0.self_attn.q_proj.weight",
// ...), in HF's module order. The tensors are handles: an optimiser or a gradient bucket may re-home their
// data (set_data, mutable_grad) and the tower follows. Frozen parameters do not require grad, and a prefix of
// frozen blocks runs without a graph. Not thread-safe. Bad shapes are Error(kUsage).
//
// Legend: B batch, T = (image_size / patch_size)^2 + 1 tokens, W width, P projection dim.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/model_config.h"

namespace graticule {

class ComputeWeights;

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

struct VisionOutput {
  at::Tensor last_hidden_state_BTW;  // before post_layernorm; compute dtype
  at::Tensor pooler_output_BW;       // post_layernorm(token 0), fp32; undefined unless asked for
  at::Tensor image_embeds_BP;        // projected, not normalised, fp32; undefined unless asked for
};

class VisionTower {
 public:
  // Random weights keyed by (seed, parameter name) with HF's standard deviations; nullopt leaves the memory
  // uninitialised for a loader to fill. `config` is completed first.
  VisionTower(const VisionConfig& config, std::optional<uint64_t> seed);
  ~VisionTower();
  VisionTower(VisionTower&&) noexcept;

  // images_B3HW: normalised floats on the parameters' device. needs_*: which outputs to compute.
  VisionOutput Forward(const at::Tensor& images_B3HW, bool needs_pooler, bool needs_embeds);

  // What gets gradients: not the embeddings and the first n blocks (frozen_layers = n; -1: nothing at all),
  // nor the parameters that the named outputs do not reach.
  void Freeze(int64_t frozen_layers, bool pooler_used, bool embeds_used);
  void set_recompute(bool on) { recompute_ = on; }
  // kFloat, or kBFloat16: blocks run in bf16 on casts of the master weights. A cast is renewed when the
  // version counter of its master moved: whoever writes weights through raw pointers must move it.
  void set_compute_dtype(at::ScalarType dtype);
  // Moves the parameters (same handles, new data).
  void To(const at::Device& device);

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  const VisionConfig& config() const { return config_; }

 private:
  at::Tensor Embed(const at::Tensor& images_B3HW, at::ArrayRef<at::Tensor> weights) const;

  VisionConfig config_;
  std::vector<NamedTensor> parameters_;
  std::unique_ptr<ComputeWeights> compute_;
  bool recompute_ = false;
};

}  // namespace graticule
