#include "trainer/optim/optim_config.h"

namespace graticule {

void OptimConfig::Bind(Section& s) {
  s.Choice("kind", &kind, {"adamw", "adam", "sgd"}, "which optimiser");
  s.Field("lr", &lr, {.help = "peak learning rate; the schedule multiplies it", .min = 0, .max = 1000});
  s.Field("beta1", &beta1, {.help = "decay of the first moment (adam, adamw)", .min = 0, .max = 0.999999});
  s.Field("beta2", &beta2, {.help = "decay of the second moment (adam, adamw)", .min = 0, .max = 0.9999999});
  s.Field("eps", &eps, {.help = "added to the root of the second moment (adam, adamw)", .min = 0, .max = 1});
  s.Field("weight_decay", &weight_decay,
          {.help = "weight decay; decoupled for adamw, L2 otherwise; never on biases, norms, embeddings of "
                   "class and position",
           .min = 0,
           .max = 10});
  s.Field("momentum", &momentum, {.help = "momentum (sgd)", .min = 0, .max = 0.999999});
  s.Field("nesterov", &nesterov, {.help = "Nesterov momentum (sgd)"});
  s.Field("clip_norm", &clip_norm, {.help = "largest global gradient norm; 0 turns clipping off", .min = 0});
  s.Field("layer_decay", &layer_decay,
          {.help = "learning rate factor per tower layer below the projection; 1 treats all layers alike",
           .min = 0.01,
           .max = 1});
  s.Field("head_lr_scale", &head_lr_scale,
          {.help = "learning rate factor of parameters outside the tower", .min = 0, .max = 1e4});
  s.Field("no_decay", &no_decay, {.help = "further parameters without weight decay: parts of their names"});
  s.Field(
      "ema_decay", &ema_decay,
      {.help = "decay per update of a moving average of the weights, which validation and the finished model "
               "use; 0: none. Beyond 0.9999 single precision would swallow the updates",
       .min = 0,
       .max = 0.9999,
       .on_resume = OnResume::kWarn});
  s.Check([this]() -> std::string {
    if (nesterov && (kind != "sgd" || momentum <= 0)) return "nesterov needs kind: sgd and momentum above 0";
    return "";
  });
}

}  // namespace graticule
