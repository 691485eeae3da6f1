#include "models/hf_weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "models/hf_config.h"
#include "models/tensor_io.h"
#include "models/weight_problems.h"

namespace graticule {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// Where a tower parameter's values lie: a whole tensor, a third of its rows, or its transpose.
struct Source {
  std::string key;  // in the file
  const TensorView* view = nullptr;
  int third = -1;
  bool transposed = false;

  std::vector<int64_t> Shape() const {
    std::vector<int64_t> shape = view->shape;
    if (third >= 0 && !shape.empty()) shape[0] /= 3;
    if (transposed) std::reverse(shape.begin(), shape.end());
    return shape;
  }
};
using Sources = std::map<std::string, Source>;  // by tower parameter name

bool StartsWithAny(std::string_view key, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view p) { return key.starts_with(p); });
}

// Wrappers that other trainers leave in front of every key.
std::string_view Unwrapped(std::string_view key) {
  for (bool again = true; again;) {
    again = false;
    for (std::string_view prefix : {"module.", "_orig_mod."}) {
      if (!key.starts_with(prefix)) continue;
      key.remove_prefix(prefix.size());
      again = true;
    }
  }
  return key;
}

bool IgnoredByHf(std::string_view key) {
  return key.ends_with("position_ids") ||
         StartsWithAny(key, {"text_model.", "text_projection.", "logit_scale", "heads."});
}

bool IgnoredByOpenClip(std::string_view key) {
  return StartsWithAny(key, {"token_embedding.", "positional_embedding", "ln_final.", "text_projection",
                             "transformer.", "text.", "logit_scale", "logit_bias", "input_resolution",
                             "context_length", "vocab_size", "attn_mask"});
}

// HF key to parameter name; "" if it is none of ours.
std::string FromHfKey(std::string_view key) {
  if (key.starts_with("vision_model.") || key == "visual_projection.weight") return std::string(key);
  if (StartsWithAny(key, {"embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm."}))
    return fmt::format("vision_model.{}", key);
  return "";
}

constexpr std::array<Pair, 7> kOpenClipTop = {{
    {"class_embedding", "embeddings.class_embedding"},
    {"conv1.weight", "embeddings.patch_embedding.weight"},
    {"positional_embedding", "embeddings.position_embedding.weight"},
    {"ln_pre.weight", "pre_layrnorm.weight"},
    {"ln_pre.bias", "pre_layrnorm.bias"},
    {"ln_post.weight", "post_layernorm.weight"},
    {"ln_post.bias", "post_layernorm.bias"},
}};
constexpr std::array<Pair, 5> kOpenClipModules = {{
    {"ln_1.", "layer_norm1."},
    {"ln_2.", "layer_norm2."},
    {"attn.out_proj.", "self_attn.out_proj."},
    {"mlp.c_fc.", "mlp.fc1."},
    {"mlp.c_proj.", "mlp.fc2."},
}};

// "transformer.resblocks.<i>.<rest>" into "encoder.layers.<i>.<rest>"; false if the key is unknown.
bool AddOpenClipBlock(Sources& sources, std::string_view key, const Source& source) {
  constexpr std::string_view kPrefix = "transformer.resblocks.";
  if (!key.starts_with(kPrefix)) return false;
  key.remove_prefix(kPrefix.size());
  const size_t dot = key.find('.');
  if (dot == std::string_view::npos) return false;
  const std::string block = fmt::format("vision_model.encoder.layers.{}.", key.substr(0, dot));
  key.remove_prefix(dot + 1);
  for (const auto& [theirs, ours] : kOpenClipModules) {
    if (!key.starts_with(theirs)) continue;
    sources[fmt::format("{}{}{}", block, ours, key.substr(theirs.size()))] = source;
    return true;
  }
  if (key != "attn.in_proj_weight" && key != "attn.in_proj_bias") return false;
  const char* leaf = key.ends_with("weight") ? "weight" : "bias";
  for (int third = 0; third < 3; ++third) {
    Source part = source;
    part.third = third;
    sources[fmt::format("{}self_attn.{}_proj.{}", block, "qkv"[third], leaf)] = part;
  }
  return true;
}

// A key below "visual."; false if it is unknown.
bool AddOpenClip(Sources& sources, std::string_view key, Source source) {
  if (key == "proj") {
    source.transposed = true;
    sources["visual_projection.weight"] = source;
    return true;
  }
  for (const auto& [theirs, ours] : kOpenClipTop) {
    if (key != theirs) continue;
    sources[fmt::format("vision_model.{}", ours)] = source;
    return true;
  }
  return AddOpenClipBlock(sources, key, source);
}

struct Scan {
  bool open_clip = false;
  Sources sources;
  std::vector<std::string> unexpected;
};

Scan ScanFile(const SafetensorsFile& file) {
  constexpr std::string_view kVisual = "visual.";
  Scan scan;
  for (const auto& [key, view] : file.tensors()) scan.open_clip |= Unwrapped(key).starts_with(kVisual);
  for (const auto& [key, view] : file.tensors()) {
    std::string_view bare = Unwrapped(key);
    const Source source{key, &view};
    if (scan.open_clip) {
      if (IgnoredByOpenClip(bare)) continue;
      if (bare.starts_with(kVisual) && AddOpenClip(scan.sources, bare.substr(kVisual.size()), source))
        continue;
      scan.unexpected.push_back(key);
    } else if (!IgnoredByHf(bare)) {
      const std::string name = FromHfKey(bare);
      if (name.empty())
        scan.unexpected.push_back(key);
      else
        scan.sources[name] = source;
    }
  }
  return scan;
}

// All that is wrong with one source for one parameter; "" if nothing.
std::string Mismatch(const NamedTensor& parameter, const Source& source) {
  const std::vector<int64_t> found = source.Shape(), expected = parameter.tensor.sizes().vec();
  const bool thirds = source.third < 0 || (!source.view->shape.empty() && source.view->shape[0] % 3 == 0);
  if (found != expected || !thirds)
    return fmt::format("{} has shape [{}], expected [{}]", source.key, fmt::join(found, ","),
                       fmt::join(expected, ","));
  if (!IsFloat(source.view->dtype))
    return fmt::format("{} is {}, expected floats", source.key, NameOf(source.view->dtype));
  return "";
}

at::Tensor Values(const SafetensorsFile& file, const Source& source) {
  at::Tensor values = CopyToTensor(file, *source.view);
  if (source.third >= 0) values = values.chunk(3, 0)[static_cast<size_t>(source.third)];
  return source.transposed ? values.t() : values;
}

void RequireSameMetadata(const VisionConfig& tower, const std::string& path) {
  const std::optional<VisionConfig> found = ReadVisionMetadata(path);
  if (!found) return;
  if (found->activation != tower.activation || found->heads != tower.heads)
    throw Error(ErrorCode::kData,
                fmt::format("the weights were trained with {} and {} heads, the tower has {} and {}",
                            found->activation, found->heads, tower.activation, tower.heads),
                path, "leave model.vision out: the shape and the activation come with the weights");
}

}  // namespace

LoadedWeights LoadVisionTensors(VisionTower& tower, const SafetensorsFile& file, const std::string& name) {
  Scan scan = ScanFile(file);
  const bool has_projection = scan.sources.contains("visual_projection.weight");
  WeightProblems problems;
  std::vector<std::pair<const NamedTensor*, Source>> plan;
  for (const NamedTensor& parameter : tower.parameters()) {
    const auto it = scan.sources.find(parameter.name);
    if (it == scan.sources.end()) {
      if (parameter.name != "visual_projection.weight") problems.missing.push_back(parameter.name);
      continue;
    }
    if (std::string problem = Mismatch(parameter, it->second); !problem.empty())
      problems.mismatched.push_back(std::move(problem));
    plan.emplace_back(&parameter, it->second);
    scan.sources.erase(it);
  }
  problems.unexpected = std::move(scan.unexpected);
  for (const auto& [parameter, source] : scan.sources) problems.unexpected.push_back(source.key);
  problems.ThrowIfAny("the tower", name, "check that config.json and the weights belong together");
  at::NoGradGuard no_grad;
  for (auto& [parameter, source] : plan) {
    at::Tensor target = parameter->tensor;
    target.copy_(Values(file, source));
  }
  return {name, scan.open_clip ? "openclip" : "huggingface", has_projection};
}

LoadedWeights LoadVisionWeights(VisionTower& tower, const std::string& path) {
  const std::string file = FindWeightFile(path);
  RequireSameMetadata(tower.config(), path);
  return LoadVisionTensors(tower, *SafetensorsFile::Map(file), file);
}

}  // namespace graticule
