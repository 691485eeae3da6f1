#include "losses/losses_config.h"

namespace graticule {

void LossWeights::Bind(Section& s) {
  s.Field("geocell", &geocell,
          {.help = "haversine-smoothed cross-entropy over geocells", .min = 0, .max = 1e6});
  s.Field("climate", &climate, {.help = "cross-entropy over the 30 climate classes", .min = 0, .max = 1e6});
  s.Field("month", &month, {.help = "cross-entropy over the 12 months", .min = 0, .max = 1e6});
  s.Field("regression", &regression,
          {.help = "mean squared error of the 6 standardised attributes", .min = 0, .max = 1e6});
}

void LossConfig::Bind(Section& s) {
  std::vector<std::string> kinds = {"geocells"};
  kinds.insert(kinds.end(), ContrastiveKinds().begin(), ContrastiveKinds().end());
  s.Choice("kind", &kind, kinds, "which objective; geocells for the recipe geocells, the others for geoclip");
  s.Choice(
      "label", &label, {"code", "paper"},
      "soft labels count distance from: code, the nearest centre; paper, the centre of the containing cell");
  s.Field("tau_km", &tau_km,
          {.help = "scale of the label smoothing; 0: hard labels", .unit = "km", .min = 0, .max = 20000});
  s.Field("normalise", &normalise, {.help = "divide each soft label by its sum"});
  s.Field(
      "elevation_offset_m", &elevation_offset_m,
      {.help = "added before the logarithm of the elevation target", .unit = "m", .min = 0, .max = 12000});
  s.Sub("weights", &weights, "one weight per term; 0 removes the term and its head (not for geocell)");
  contrastive.Bind(s);
  s.Check([this]() -> std::string {
    const std::string& use = contrastive.pair.use;
    const bool weighs = kind == "infonce" || kind == "weighted_add" || kind == "dcl" || kind == "hcl";
    const bool hardens = kind == "weighted_add" || (kind == "hcl" && contrastive.detach);
    if (use == "logit" && !weighs)
      return "pair.use logit is for kind infonce, weighted_add, dcl or hcl, not " + kind;
    if (use.starts_with("beta") && (!hardens || contrastive.beta_on != "logit" || contrastive.beta == 0))
      return "pair.use " + use +
             " needs kind weighted_add, or hcl with detach, beta_on logit and a beta above 0";
    if (use != "logit" && contrastive.pair.kappa_hard > 0)
      return "pair.kappa_hard is for pair.use logit, not " + use;
    if (!use.starts_with("seed")) return "";
    const std::string parent = use == "seed2" || use == "seed4" ? "weighted_seed" : "infonce";
    if (kind != parent) return "pair.use " + use + " is for kind " + parent + ", not " + kind;
    return kind == "weighted_seed" && contrastive.beta == 0
               ? "pair.use " + use + " multiplies beta, which is 0; the thesis' is 1"
               : "";
  });
  s.Check([this]() -> std::string {
    return kind != "geocells" || weights.geocell > 0
               ? ""
               : "weights.geocell is 0: places are predicted by the geocell head, so it must be trained";
  });
}

}  // namespace graticule
