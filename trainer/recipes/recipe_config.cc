#include "trainer/recipes/recipe_config.h"

namespace graticule {

void RecipeConfig::Bind(Section& s) {
  s.Choice("kind", &kind, {"geocells", "geoclip"}, "what is trained; all other keys here belong to geoclip");
  geoclip.Bind(s);
}

}  // namespace graticule
