#include "trainer/recipes/registry.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fs.h"
#include "models/frozen_tower.h"
#include "models/hf_weights.h"
#include "models/simsiam_heads.h"
#include "trainer/recipes/geocells.h"
#include "trainer/recipes/geoclip.h"
#include "trainer/recipes/geoclip_init.h"
#include "trainer/recipes/pair_warnings.h"

namespace graticule {

namespace {

std::unique_ptr<Recipe> MakeGeocells(const RootConfig& config, const RecipeInputs& inputs) {
  GeocellsOptions options;
  options.model = config.model;
  options.loss = config.loss;
  options.optim = config.optim;
  options.cells = inputs.cells;
  options.state = inputs.state;
  options.seed = static_cast<uint64_t>(config.run.seed);
  options.random_init = inputs.random_init;
  options.precision = config.train.precision;
  options.device = inputs.device;
  return std::make_unique<GeocellsRecipe>(options);
}

std::unique_ptr<Recipe> MakeGeoclip(const RootConfig& config, const RecipeInputs& inputs) {
  GeoclipOptions options;
  options.model = config.model;
  options.geoclip = config.recipe.geoclip;
  options.loss = config.loss;
  options.optim = config.optim;
  options.gallery = inputs.gallery;
  options.queue_start = inputs.queue_start;
  if (const auto state = nlohmann::json::parse(inputs.state); state.contains("variogram"))
    options.variogram = ParseVariogram(state["variogram"].dump(), "the recipe's state");
  options.seed = static_cast<uint64_t>(config.run.seed);
  options.random_init = inputs.random_init;
  options.precision = config.train.precision;
  options.device = inputs.device;
  options.cuda = inputs.cuda;
  auto recipe = std::make_unique<GeoclipRecipe>(options);
  if (inputs.random_init) LoadPublishedWeights(*recipe, config.recipe.geoclip.init);
  return recipe;
}

}  // namespace

std::unique_ptr<Recipe> MakeRecipe(const RootConfig& config, const RecipeInputs& inputs) {
  std::unique_ptr<Recipe> recipe =
      config.recipe.kind == "geoclip" ? MakeGeoclip(config, inputs) : MakeGeocells(config, inputs);
  if (inputs.random_init && !config.model.init.empty()) LoadVisionWeights(recipe->tower(), config.model.init);
  return recipe;
}

std::string FitRecipeState(const RootConfig& config, const Dataset& dataset) {
  if (config.recipe.kind == "geoclip") {
    const PairConfig& pair = config.loss.contrastive.pair;
    return pair.use == "none" ? "{}" : GeoclipRecipe::StateOf(ReadVariogram(pair.file));
  }
  if (!config.data.stats.empty()) return ReadFileToString(config.data.stats, 1 << 20);
  return GeocellsRecipe::FitState(config.loss, dataset);
}

void CheckStartFiles(const RootConfig& config) {
  if (config.recipe.kind != "geoclip") return;
  CheckPublishedWeights(config.model, config.recipe.geoclip);
  const PairConfig& pair = config.loss.contrastive.pair;
  if (pair.use != "none") ReadVariogram(pair.file);
}

std::vector<std::string> CheckCoverage(const RootConfig& config, const Dataset& dataset) {
  if (config.recipe.kind == "geoclip") return {};
  return GeocellsRecipe::CheckCoverage(config.loss, dataset);
}

std::vector<std::string> RecipeWarnings(const RootConfig& config, const std::string& state) {
  std::vector<std::string> lines;
  if (config.recipe.kind == "geoclip") lines = PairWarnings(config.loss.contrastive.pair, state);
  if (config.model.frozen_layers == -1 && config.model.init.empty() && config.data.train_embeddings.empty())
    lines.push_back(
        "model.frozen_layers is -1 and model.init is empty: the tower stays as random as it starts");
  const double tau = config.loss.contrastive.tau_plus;
  if ((config.loss.kind != "dcl" && config.loss.kind != "hcl") || tau == 0) return lines;
  const NegativesConfig& negatives = config.recipe.geoclip.negatives;
  auto n = static_cast<double>(config.train.global_batch - 1 + negatives.queue);
  for (const BandConfig& band : negatives.bands)
    n += static_cast<double>(band.count * (negatives.mode == "shared" ? config.train.global_batch : 1));
  constexpr double kMost = 5;  // times the gradient of InfoNCE that a row near its bound may get
  if (const double factor = tau * n / (1 - tau); factor > kMost) {
    lines.push_back(fmt::format(
        "loss.tau_plus {} with {:.0f} negatives makes a row's gradient up to {:.0f} times that of "
        "infonce; below {:.2g} it is at most {:.0f} times (docs/CONTRASTIVE.md)",
        tau, n, factor, kMost / n, kMost));
  }
  if (!negatives.bands.empty()) {
    lines.push_back(
        "loss.tau_plus is the chance that a random candidate is a false negative, but recipe.negatives.bands "
        "draws candidates by distance; set it to 0, and loss.mask.km instead");
  }
  return lines;
}

int64_t HeadParameters(const RootConfig& config, int64_t cells) {
  int64_t values = 0;
  if (config.recipe.kind == "geocells") {
    for (const auto& head : GeocellsRecipe::HeadsFor(config.loss, cells))
      values += head.outputs * (config.model.vision.width + 1);
    return values;
  }
  const GeoclipConfig& g = config.recipe.geoclip;
  const int64_t in = TowerOutputWidth(config.model.vision, TowerOutputOf(config.model.pooling)),
                hidden = g.hidden > 0 ? g.hidden : in, features = g.location.features,
                width = g.location.width;
  values = hidden * (in + 1) + g.outputs * (hidden + 1) + 1;
  const int64_t capsule =
      2 * features + width * (2 * features + 1) + 2 * width * (width + 1) + g.outputs * (width + 1);
  if (g.simsiam.weight > 0) values += CountSimSiamHeads({g.outputs, g.simsiam.width, g.simsiam.hidden});
  return values + capsule * std::ssize(g.location.sigmas);
}

}  // namespace graticule
