// Ranks as threads of one process, for tests: deterministic, reduces in rank order, needs no launcher.
//
// The k-th call of every rank is one collective; calls that do not agree in kind, count, type or operation
// throw Error(kBug) in all ranks, which real transports answer with garbage or a hang. The last rank to
// arrive does the work. Thread rule: one thread per rank. Failure: a passed deadline or Abort throws
// Error(kPeer) in every waiter.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/comm/communicator.h"

namespace graticule {

// One communicator per rank; they share state and may outlive one another.
std::vector<std::unique_ptr<Communicator>> MakeFakeCommunicators(
    int world_size, std::chrono::milliseconds timeout = std::chrono::seconds(60));

// Runs body(rank) on world_size threads and rethrows the first exception after all have ended. A rank that
// throws aborts the others through `abort`, which may be empty.
void RunRanks(int world_size, const std::function<void(int rank)>& body,
              const std::function<void()>& abort = {});

}  // namespace graticule
