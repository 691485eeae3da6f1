// Weights to start from, GeoCLIP's own or those of an export, into a fresh recipe.
#pragma once

#include "trainer/recipes/geoclip.h"

namespace graticule {

// Files that are not named leave their part at its random start. A location file may hold fewer capsules than
// the recipe: the heads of the others become zero, so that the tower says what the file's said until they
// have learned. Throws Error(kData) for a file that does not fit.
void LoadPublishedWeights(GeoclipRecipe& recipe, const GeoclipWeightFiles& files);

// Loads the files into heads made for it, which are thrown away: what is wrong with them is known before a
// tower is built or a rank started. The same errors.
void CheckPublishedWeights(const ModelConfig& model, const GeoclipConfig& config);

}  // namespace graticule
