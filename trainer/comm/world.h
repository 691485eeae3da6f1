// The ranks of this run: who I am, how many we are, and the two communicators (docs/COMM.md).
//
// Without launcher variables (mpirun, srun with PMI) this is a world of one and no MPI is opened. Otherwise
// libgraticule_mpi.so beside the executable is, and it alone owns MPI_Init and MPI_Finalize.
// `control` carries host scalars and is always MPI; `data` carries gradients: MPI on CPUs, NCCL on GPUs.
//
// Ownership: a process holds at most one World; its communicators die with it. Closing is Collective.
// Thread rule: open, close and run on the main thread.
// Failure: a body that throws takes all ranks down: the message names the rank, the job ends with the error's
// exit code. A rank that dies is noticed by the launcher, a rank that hangs by the deadlines of its peers.
//
//   return RunInWorld({.device = "cpu"}, [&](World& world) { return Train(config, world); });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/comm/communicator.h"
#include "base/error.h"

namespace graticule {

class CudaModule;

struct WorldOptions {
  std::string device = "cpu";  // "cpu" or "cuda"
  double timeout_s = 600;      // CommConfig::timeout_s
  bool json = false;           // a failure also prints its JSON object on stdout (base/json_row.h)
};

struct World {
  int rank = 0, size = 1;
  int local_rank = 0, local_size = 1;  // among the ranks that share this host's memory
  std::string host;
  int cpus = 1;  // CPUs this rank may count on: its affinity mask, shared with the ranks that have the same
  int node_cpus = 1;           // CPUs the launcher was given on this node
  bool json_errors = false;    // WorldOptions::json
  bool under_mpirun = false;   // which sends SIGKILL 0.9 s after SIGTERM
  CudaModule* cuda = nullptr;  // set when device is "cuda"
  Communicator& control;
  Communicator& data;

  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  bool is_first() const { return rank == 0; }

  struct Parts;  // what World owns
  explicit World(std::unique_ptr<Parts> parts);

 private:
  std::unique_ptr<Parts> parts_;
};

// Collective. Throws Error(kUsage) for a world that cannot be: several SLURM tasks without a launcher, a
// missing module, no GPU for this rank.
std::unique_ptr<World> OpenWorld(const WorldOptions& options);

// Collective. Opens the world, runs the body and closes the world; returns the body's value. When the body
// throws in a world of several, prints "rank k of n on <host>: ..." and ends the job with the error's exit
// code; in a world of one the exception passes through.
int RunInWorld(const WorldOptions& options, const std::function<int(World&)>& body);

// Ends the job now: all ranks, the error's exit code. Does not return.
[[noreturn]] void AbortWorld(const World& world, const Error& error) noexcept;

// Empty, or a warning with the exact launcher option, when this rank may not use the CPUs it could have or
// plans more threads than it may use.
std::string AffinityWarning(const World& world, int planned_threads);

// "Open MPI v4.1.4 ..." of the module, empty when there is none. Opens no MPI.
std::string MpiVersion();

}  // namespace graticule
