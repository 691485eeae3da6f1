// data.stage for the ranks of a run: each node's shards on its own disk before the first batch is read.
//
// Main thread. The copying itself is data/stage.h's; the ranks of one node share it through its lock. Throws
// what that throws, and Error(kPeer) when another rank is lost in the meantime.
#pragma once

#include "base/comm/communicator.h"
#include "data/data_config.h"

namespace graticule {

// Collective. Copies what is missing of data.train and data.val: shards, or the parts of embedding stores
// that stand for them; ends when all nodes have them. However long that takes, no rank runs into the deadline
// of a collective.
void StageCollective(const DataConfig& data, bool quiet, Communicator& control);

}  // namespace graticule
