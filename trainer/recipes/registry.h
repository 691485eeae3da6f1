// Recipes by name. Adding one: its file pair beside this file, a line in each function of registry.cc, a
// value of recipe.kind, a config and a test.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "geo/cell_table.h"
#include "geo/gallery.h"
#include "trainer/config/root_config.h"
#include "trainer/recipe.h"

namespace graticule {

class CudaModule;

struct RecipeInputs {
  std::shared_ptr<const CellTable> cells;  // geocells
  std::shared_ptr<const Gallery> gallery;  // geoclip
  std::vector<LatLon> queue_start;         // geoclip: first contents of its queue
  std::string state = "{}";                // from FitRecipeState, a checkpoint or an export
  bool random_init = true;                 // false: the caller fills the parameters
  c10::Device device = c10::kCPU;
  CudaModule* cuda = nullptr;
};

// model.init is honoured when random_init is set. Throws Error(kUsage) or Error(kData).
std::unique_ptr<Recipe> MakeRecipe(const RootConfig& config, const RecipeInputs& inputs);

// What the recipe must learn from the training split before the first step, as a JSON object.
std::string FitRecipeState(const RootConfig& config, const Dataset& dataset);

// Reads the files that a fresh start takes its first values from, besides the data and model.init: a mistake
// in them is Error(kData) before anything starts.
void CheckStartFiles(const RootConfig& config);

// One line per label column in use. Throws Error(kUsage) where the objective needs a label that no record
// has.
std::vector<std::string> CheckCoverage(const RootConfig& config, const Dataset& dataset);

// What is allowed and hardly meant, one line each. state: of the checkpoint to go on from, "{}" for a start.
std::vector<std::string> RecipeWarnings(const RootConfig& config, const std::string& state);

// Values that the recipe trains or keeps beyond the vision tower.
int64_t HeadParameters(const RootConfig& config, int64_t cells);

}  // namespace graticule
