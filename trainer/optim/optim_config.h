// `optim:` section: which optimiser, its constants, and which parameters get what. Torch-free.
#pragma once

#include <string>
#include <vector>

#include "base/config/section.h"

namespace graticule {

struct OptimConfig {
  std::string kind = "adamw";  // adamw, adam (L2 instead of decoupled decay), sgd
  double lr = 1e-4;            // peak; the schedule multiplies it
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.01;
  double momentum = 0.9;              // sgd only
  bool nesterov = false;              // sgd only
  double clip_norm = 0;               // 0: off
  double layer_decay = 1;             // learning rate factor per tower layer, counted from the top
  double head_lr_scale = 1;           // learning rate factor of everything outside the tower
  double ema_decay = 0;               // of the moving average of the weights; 0: there is none
  std::vector<std::string> no_decay;  // further parameter names (substrings) without weight decay
  void Bind(Section& s);
};

}  // namespace graticule
