// Collectives between GPUs over NCCL. Part of the CUDA module.
//
// Buffers are device memory. A call waits on its own stream for what the given stream (null: the default one)
// has queued so far, and runs beside it; WaitOn makes a stream wait for the result, Wait makes the host wait.
// The communicator is connected without blocking and polled, so that a peer that never comes is an error and
// no hang. A watchdog thread looks after issued work: past its deadline or after a network error it aborts
// NCCL, which frees the device and with it every waiter. Failure: Error(kPeer), the first one stays.
#pragma once

#include <memory>

#include "base/comm/communicator.h"

namespace graticule {

// Collective over `control`, which carries the id. device: the GPU of this rank.
std::unique_ptr<Communicator> ConnectNcclCollective(Communicator& control, int device, double timeout_s);

// "2.28.9" of the library that is loaded.
std::string NcclVersion();

}  // namespace graticule
