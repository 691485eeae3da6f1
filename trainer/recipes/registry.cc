#include "trainer/recipes/registry.h"

#include "base/error.h"
#include "base/fs.h"
#include "models/hf_weights.h"
#include "trainer/recipes/geocells.h"

namespace graticule {

std::unique_ptr<Recipe> MakeRecipe(const RootConfig& config, const RecipeInputs& inputs) {
  GRATICULE_CHECK(config.recipe.kind == "geocells", config.recipe.kind);
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
  auto recipe = std::make_unique<GeocellsRecipe>(options);
  if (inputs.random_init && !config.model.init.empty()) LoadVisionWeights(recipe->tower(), config.model.init);
  return recipe;
}

std::string FitRecipeState(const RootConfig& config, const Dataset& dataset) {
  GRATICULE_CHECK(config.recipe.kind == "geocells", config.recipe.kind);
  if (!config.data.stats.empty()) return ReadFileToString(config.data.stats, 1 << 20);
  return GeocellsRecipe::FitState(config.loss, dataset);
}

std::vector<std::string> CheckCoverage(const RootConfig& config, const Dataset& dataset) {
  GRATICULE_CHECK(config.recipe.kind == "geocells", config.recipe.kind);
  return GeocellsRecipe::CheckCoverage(config.loss, dataset);
}

}  // namespace graticule
