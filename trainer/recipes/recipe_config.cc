#include "trainer/recipes/recipe_config.h"

namespace graticule {

void RecipeConfig::Bind(Section& s) { s.Choice("kind", &kind, {"geocells"}, "what is trained"); }

}  // namespace graticule
