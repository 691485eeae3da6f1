// A Communicator over a transport that can only post operations and ask whether they are done, as MPI's
// MPI_I* and MPI_Test can: one issuing thread posts in program order, drives progress, and keeps deadlines.
//
// Polling backs off from yielding to sleeps of half a millisecond, so that a waiting rank leaves its cores to
// others; an idle communicator sleeps on a condition variable.
// Ownership: owns the transport. Destruction finishes what is pending, unless the communicator is broken.
// Failure: a passed deadline, a transport error or Abort breaks the communicator for good: every pending and
// later Work throws that first Error(kPeer), which names the operation, its number and the rank. After a
// break the transport may still write to buffers of unfinished operations: leave the process, do not free and
// go on.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/comm/communicator.h"
#include "trainer/comm/mpi_module.h"

namespace graticule {

// Called from the issuing thread only.
class HostTransport {
 public:
  virtual ~HostTransport() = default;
  virtual void* Start(const MpiOperation& operation) = 0;  // throws Error
  virtual bool Test(void* request) = 0;                    // true: done, the request is gone
};

struct ProgressOptions {
  std::string name;     // of the transport: "mpi"
  std::string channel;  // "control" or "data", for messages
  int rank = 0, world_size = 1;
  std::string host;
  std::chrono::duration<double> timeout{600};
};

std::unique_ptr<Communicator> MakeProgressCommunicator(std::unique_ptr<HostTransport> transport,
                                                       const ProgressOptions& options);

}  // namespace graticule
