#include "trainer/comm/world.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_row.h"
#include "trainer/comm/mpi_loader.h"
#include "trainer/cuda_module.h"

namespace graticule {

struct World::Parts {
  MpiWorldInfo info{0, 1, 0, 1, ""};
  bool under_mpirun = LaunchedByMpirun();
  const MpiTable* mpi = nullptr;  // null in a world of one without a launcher
  CudaModule* cuda = nullptr;
  std::unique_ptr<Communicator> control, data;
  int exceptions = std::uncaught_exceptions();
};

namespace {

// The affinity mask as hexadecimal text, and how many CPUs it holds. pid 0 is this process.
struct CpuMask {
  std::string text;
  int count = 0;
};

CpuMask MaskOf(pid_t pid) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(pid, sizeof set, &set) != 0) return {};
  CpuMask mask{"", CPU_COUNT(&set)};
  for (const unsigned char byte : std::bit_cast<std::array<unsigned char, sizeof set>>(set))
    mask.text += fmt::format("{:02x}", byte);
  return mask;
}

// Ranks that run on the same CPUs of the same host share them.
void CountCpusCollective(World& world) {
  const CpuMask own = MaskOf(0);
  const std::string key = world.host + ":" + own.text;
  int sharers = 0;
  for (const std::string& other : world.control.GatherStrings(key)) sharers += other == key;
  world.cpus = std::max(1, own.count / std::max(1, sharers));
  // The launcher started us, so what it may use is what this node gives to the run.
  world.node_cpus = std::max({MaskOf(getppid()).count, own.count, 1});
}

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

std::string OptionFor(const World& world, int threads) {
  if (threads * world.local_size > world.node_cpus) return "mpirun --bind-to none";
  return fmt::format("mpirun --map-by ppr:{}:node:PE={} (or --bind-to none)", world.local_size, threads);
}

}  // namespace

World::World(std::unique_ptr<Parts> parts)
    : rank(parts->info.rank),
      size(parts->info.size),
      local_rank(parts->info.local_rank),
      local_size(parts->info.local_size),
      host(parts->info.host),
      under_mpirun(parts->under_mpirun),
      cuda(parts->cuda),
      control(*parts->control),
      data(*parts->data),
      parts_(std::move(parts)) {}

World::~World() {
  if (std::uncaught_exceptions() > parts_->exceptions && size > 1)
    AbortWorld(*this, Error(ErrorCode::kBug, "an exception left the run without being reported"));
  parts_->data.reset();
  parts_->control.reset();
  if (!parts_->mpi) return;
  char error[kMpiErrorLength] = "";
  if (parts_->mpi->close(error)) std::fprintf(stderr, "closing MPI: %s\n", error);
}

std::unique_ptr<World> OpenWorld(const WorldOptions& options) {
  if (options.device != "cpu" && options.device != "cuda") {
    throw Error(ErrorCode::kUsage, fmt::format("the device is \"{}\", expected cpu or cuda", options.device));
  }
  RefuseUnconnectedTasks();
  auto parts = std::make_unique<World::Parts>();
  // Before anything asks ATen about CUDA: its "no CUDA" answer would stay for good.
  if (options.device == "cuda") parts->cuda = &LoadCudaModule();
  if (LaunchedByMpi()) {
    parts->mpi = &LoadMpi();
    char error[kMpiErrorLength] = "";
    if (parts->mpi->open(&parts->info, error))
      throw Error(ErrorCode::kPeer, error, "", "see the launcher's own messages");
    parts->control = MakeMpiCommunicator(*parts->mpi, parts->info, kMpiControl, options.timeout_s);
  } else {
    std::snprintf(parts->info.host, sizeof parts->info.host, "%s", HostName().c_str());
    parts->control = MakeSingleCommunicator();
  }
  if (parts->cuda) {
    parts->data =
        OpenDeviceCollective(*parts->cuda, *parts->control, parts->info.local_rank, options.timeout_s);
  } else if (parts->mpi) {
    parts->data = MakeMpiCommunicator(*parts->mpi, parts->info, kMpiData, options.timeout_s);
  } else {
    parts->data = MakeSingleCommunicator();
  }
  auto world = std::make_unique<World>(std::move(parts));
  world->json_errors = options.json;
  CountCpusCollective(*world);
  return world;
}

void AbortWorld(const World& world, const Error& error) noexcept {
  // When all ranks fail alike, the first one speaks for them: its abort ends the others while they hold back.
  if (world.rank > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(500 + std::min(world.rank, 100) * 10));
  if (world.json_errors) std::printf("%s\n", ErrorJson(error).c_str());
  std::fflush(stdout);
  std::fprintf(stderr, "rank %d of %d on %s: %s\n", world.rank, world.size, world.host.c_str(), error.what());
  std::fflush(stderr);
  if (world.size > 1 && LaunchedByMpi()) LoadMpi().abort(error.exit_code());
  _exit(error.exit_code());
}

int RunInWorld(const WorldOptions& options, const std::function<int(World&)>& body) {
  const std::unique_ptr<World> world = OpenWorld(options);
  if (world->size == 1) return body(*world);
  try {
    return body(*world);
  } catch (const Error& error) {
    AbortWorld(*world, error);
  } catch (const std::exception& error) {
    AbortWorld(*world, Error(ErrorCode::kBug, error.what()));
  }
}

std::string AffinityWarning(const World& world, int planned_threads) {
  const std::string who = fmt::format("rank {} on {}", world.rank, world.host);
  if (planned_threads > world.cpus) {
    return fmt::format("{} plans {} threads but may use {} CPU{}; start with {}", who, planned_threads,
                       world.cpus, world.cpus == 1 ? "" : "s", OptionFor(world, planned_threads));
  }
  const int fair = world.node_cpus / world.local_size;
  if (world.cpus < fair) {
    return fmt::format("{} is bound to {} CPU{} although {} would be its share of this node; start with {}",
                       who, world.cpus, world.cpus == 1 ? "" : "s", fair, OptionFor(world, fair));
  }
  return "";
}

std::string MpiVersion() {
  try {
    return LoadMpi().library_version();
  } catch (const Error&) {
    return "";
  }
}

}  // namespace graticule
