#include "trainer/comm/mpi_loader.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

#include "base/error.h"
#include "trainer/comm/module.h"
#include "trainer/comm/progress_communicator.h"

namespace graticule {
namespace {

class MpiTransport final : public HostTransport {
 public:
  MpiTransport(const MpiTable& mpi, int channel) : mpi_(mpi), channel_(channel) {}

  void* Start(const MpiOperation& operation) override {
    void* request = nullptr;
    char error[kMpiErrorLength] = "";
    if (mpi_.start(channel_, &operation, &request, error)) throw Error(ErrorCode::kPeer, error);
    return request;
  }
  bool Test(void* request) override {
    int done = 0;
    char error[kMpiErrorLength] = "";
    if (mpi_.test(request, &done, error)) throw Error(ErrorCode::kPeer, error);
    return done != 0;
  }

 private:
  const MpiTable& mpi_;
  int channel_;
};

}  // namespace

bool LaunchedByMpi() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK"}) {
    if (std::getenv(variable)) return true;
  }
  return false;
}

bool LaunchedByMpirun() {
  // srun with PMI sets neither of Open MPI's variables (before MPI_Init); MPICH's own launcher sets no
  // SLURM_PROCID.
  return LaunchedByMpi() && (std::getenv("OMPI_COMM_WORLD_SIZE") || !std::getenv("SLURM_PROCID"));
}

void RefuseUnconnectedTasks() {
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  if (!tasks || std::atoi(tasks) <= 1 || LaunchedByMpi()) return;
  throw Error(
      ErrorCode::kUsage,
      fmt::format(
          "srun started {} tasks that MPI does not know of: each would train alone, into the same folder",
          tasks),
      "SLURM_STEP_NUM_TASKS",
      fmt::format("start them with `srun --mpi=pmix -n {0} graticule ...` or, inside the job script, with "
                  "`mpirun --bind-to none -n {0} graticule ...`",
                  tasks));
}

const MpiTable& LoadMpi() {
  static const MpiTable* const table = [] {
    void* entry =
        OpenModule("libgraticule_mpi.so", kMpiModuleEntry, "MPI",
                   "build it where mpi.h is found (libopenmpi-dev), or start one process without a launcher");
    const MpiTable* found = reinterpret_cast<MpiModuleEntry>(entry)();
    if (found->version != kMpiModuleVersion) {
      throw Error(
          ErrorCode::kUsage,
          fmt::format("libgraticule_mpi.so has version {}, expected {}", found->version, kMpiModuleVersion),
          "", "rebuild the module from the same source as the program");
    }
    return found;
  }();
  return *table;
}

std::unique_ptr<Communicator> MakeMpiCommunicator(const MpiTable& mpi, const MpiWorldInfo& info, int channel,
                                                  double timeout_s) {
  ProgressOptions options;
  options.name = "mpi";
  options.channel = channel == kMpiControl ? "control" : "data";
  options.rank = info.rank;
  options.world_size = info.size;
  options.host = info.host;
  options.timeout = std::chrono::duration<double>(timeout_s);
  return MakeProgressCommunicator(std::make_unique<MpiTransport>(mpi, channel), options);
}

}  // namespace graticule
