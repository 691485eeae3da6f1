// Sorts the trainable parameters of a model into groups that share learning rate factor and weight decay.
//
// No decay: tensors with at most one dimension (biases, norms, scales), the class and position embeddings,
// and names holding a part listed in optim.no_decay. Layer-wise decay counts from the input: {patch, class
// and position embeddings, pre norm}, block 0 .. block L-1 (the last with the post norm), projection: n = L +
// 2 layers, factor decay^(n - 1 - k). Names are Hugging Face's vision names; everything else is a head:
// optim.head_lr_scale.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/optim/optim_config.h"
#include "trainer/recipe.h"

namespace graticule {

// Parameters that do not require a gradient are left out. blocks: L of the tower.
std::vector<ParameterGroup> BuildParameterGroups(const std::vector<NamedTensor>& parameters, int64_t blocks,
                                                 const OptimConfig& config);

// 0 embeddings, 1 + i block i, blocks + 1 projection, -1 outside the tower.
int64_t TowerLayer(const std::string& name, int64_t blocks);

}  // namespace graticule
