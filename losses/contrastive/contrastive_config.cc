#include "losses/contrastive/contrastive_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace graticule {

const std::vector<std::string>& ContrastiveKinds() {
  static const std::vector<std::string> kinds = {"infonce", "weighted_seed", "weighted_add", "dcl",
                                                 "hcl",     "triplet",       "siglip"};
  return kinds;
}

bool IsContrastive(const std::string& kind) {
  const std::vector<std::string>& known = ContrastiveKinds();
  return std::find(known.begin(), known.end(), kind) != known.end();
}

void MaskConfig::Bind(Section& s) {
  s.Field("km", &km,
          {.help = "candidates nearer than this to a row's place are no negatives of it; 0: none",
           .unit = "km",
           .min = 0,
           .max = 20000});
  s.Field("same", &same, {.help = "nor those that share this with it: of place, author, sequence"});
  s.Check([this]() -> std::string {
    for (const std::string& key : same) {
      if (key != "place" && key != "author" && key != "sequence")
        return fmt::format("same: found \"{}\", expected place, author or sequence", key);
    }
    return "";
  });
}

void TripletConfig::Bind(Section& s) {
  s.Choice("distance", &distance, {"cosine", "l2"}, "between embeddings");
  s.Field("margin", &margin, {.help = "by which the negative must be farther", .min = 0, .max = 4});
  s.Choice("pick", &pick, {"semi_hard", "farthest", "far_near"},
           "which negative: the hardest one behind the positive, the farthest place, or a fair coin between "
           "the near and the far half of the places");
}

bool PairConfig::NeedsFeatures() const {
  return use.starts_with("seed") || (use == "logit" && kappa_hard > 0);
}

void PairConfig::Bind(Section& s) {
  s.Choice(
      "use", &use, {"none", "logit", "beta", "beta_near", "seed1", "seed2", "seed3", "seed4", "seed5"},
      "near pairs count less (logit), are not hardened (beta), or are alone hardened (beta_near); or one "
      "of the thesis' ways, for parity (docs/CONTRASTIVE.md)");
  s.Field("file", &file,
          {.help = "variogram.json, from `graticule variogram` over the training split",
           .on_resume = OnResume::kWarn});
  s.Field(
      "kappa_false", &kappa_false,
      {.help = "use: logit; by how much near pairs, likely false negatives, count less", .min = 0, .max = 4});
  s.Field("kappa_hard", &kappa_hard,
          {.help = "use: logit; by how much far pairs count more that look more alike than expected; above 0 "
                   "the queue keeps image features",
           .min = 0,
           .max = 4});
  s.Check([this]() -> std::string {
    return use != "none" && file.empty() ? "file is missing: pair.use " + use + " needs a variogram" : "";
  });
}

void ContrastiveConfig::Bind(Section& s) {
  s.Field("gps_to_image", &gps_to_image,
          {.help = "share of the direction from places to images", .min = 0, .max = 1});
  s.Field("beta", &beta,
          {.help = "how much more a harder negative counts (weighted_seed, weighted_add, hcl)",
           .min = 0,
           .max = 16});
  s.Choice("beta_on", &beta_on, {"logit", "cosine"},
           "what beta multiplies; cosine keeps the hardness while the scale grows");
  s.Field("tau_plus", &tau_plus,
          {.help = "chance that a random candidate is a false negative (dcl, hcl)", .min = 0, .max = 0.9});
  s.Field("detach", &detach, {.help = "importance weights carry no gradient (hcl)"});
  s.Sub("mask", &mask, "false negatives, left out of each row's candidates");
  s.Sub("pair", &pair, "what a variogram does to pairs of places");
  s.Sub("triplet", &triplet, "kind: triplet");
}

}  // namespace graticule
