#include "trainer/recipes/geoclip_init.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "models/geoclip_weights.h"

namespace graticule {
namespace {

void LoadLocation(LocationEncoder& location, const std::string& path) {
  const torch::autograd::AutoGradMode no_grad(false);
  WeightRules rules{
      .prefixes = {kLocationPrefix, kExportLocationPrefix}, .may_be_missing = {}, .may_be_unused = {}};
  for (size_t capsule = 1; capsule < location.shape().sigmas.size(); ++capsule)
    rules.may_be_missing.push_back(fmt::format("LocEnc{}.", capsule));
  const WeightReport report = LoadGeoclipWeights(location.parameters(), path, rules);
  const auto in_file = [&](const std::string& name) {
    return std::find(report.missing.begin(), report.missing.end(), name) == report.missing.end();
  };
  for (size_t capsule = 0; capsule < location.shape().sigmas.size(); ++capsule) {
    const std::string name = fmt::format("LocEnc{}.capsule.0.b", capsule);
    for (const NamedTensor& p : location.parameters()) {
      if (p.name != name || !in_file(name)) continue;
      const double sigma = location.shape().sigmas[capsule],
                   found = p.tensor.square().mean().sqrt().item<double>();
      if (found > sigma / 2 && found < sigma * 2) continue;
      throw Error(ErrorCode::kData,
                  fmt::format("{} has frequencies of scale {:.3g}, recipe.location.sigmas says {}", name,
                              found, sigma),
                  path, "give the sigmas that the file was trained with");
    }
  }
  for (const NamedTensor& p : location.parameters()) {
    at::Tensor values = p.tensor;
    if (!in_file(p.name) && p.name.find(".head.") != std::string::npos) values.zero_();
  }
}

void Load(const GeoclipWeightFiles& files, const ImageMlp& image_mlp, LocationEncoder& location,
          const at::Tensor& logit_scale) {
  if (!files.image_mlp.empty()) {
    LoadGeoclipWeights(image_mlp.parameters(), files.image_mlp,
                       {.prefixes = {kImagePrefix, kExportImagePrefix}});
  }
  if (!files.location.empty()) LoadLocation(location, files.location);
  if (files.logit_scale.empty()) return;
  // It has no prefix of its own, so the other modules of a whole model stand beside it.
  const std::vector<NamedTensor> scale = {{"logit_scale", logit_scale}};
  LoadGeoclipWeights(
      scale, files.logit_scale,
      {.prefixes = {"heads."},
       .may_be_missing = {},
       .may_be_unused = {"image_mlp.", "location.", "logit_bias", "image_encoder.", "location_encoder."}});
}

}  // namespace

void LoadPublishedWeights(GeoclipRecipe& recipe, const GeoclipWeightFiles& files) {
  Load(files, recipe.image_mlp(), recipe.location(), recipe.logit_scale());
}

void CheckPublishedWeights(const ModelConfig& model, const GeoclipConfig& config) {
  const ImageMlp image_mlp(MlpShapeOf(model, config), std::nullopt);
  LocationEncoder location(LocationShapeOf(config), std::nullopt);
  Load(config.init, image_mlp, location, at::zeros({}, at::kFloat));
}

}  // namespace graticule
