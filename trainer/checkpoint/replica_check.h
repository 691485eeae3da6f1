// Cheap proof that all ranks still hold the same weights and moments: they must be equal bit for bit, since
// every rank applies the same update to the same values. Catches desynchronisation and silent memory errors
// before they are saved.
#pragma once

#include <string>
#include <vector>

#include "base/comm/communicator.h"
#include "models/vision_tower.h"

namespace graticule {

// Collective. Throws Error(kBug) on all ranks, naming the ranks that differ from rank 0 and the first tensor
// that does.
void CheckReplicasCollective(const std::vector<NamedTensor>& tensors, int64_t step, Communicator& control);

}  // namespace graticule
