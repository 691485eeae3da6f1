#include "launch/launch_rank.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "trainer/comm/world.h"
#include "trainer/cpu_bf16_probe.h"

namespace graticule {

int LaunchRank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (const char* text = std::getenv(name)) return std::atoi(text);
  }
  return 0;
}

int LaunchSize() {
  // srun sets its own variables also where mpirun starts the ranks, so they come last.
  const bool under_srun = std::getenv("PMIX_RANK") != nullptr;
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", under_srun ? "SLURM_STEP_NUM_TASKS" : ""}) {
    if (const char* text = std::getenv(name)) return std::max(1, std::atoi(text));
  }
  return 1;
}

int SpeakAsFirstRank(const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    if (LaunchRank() == 0) throw;
    std::this_thread::sleep_for(std::chrono::seconds(1));
    return error.exit_code();
  }
}

int RunAlone(const std::string& verb, const std::string& device, const std::function<int(World&)>& body) {
  return RunInWorld({.device = device}, [&](World& world) {
    if (world.size == 1) return body(world);
    throw Error(ErrorCode::kUsage, fmt::format("{} works in one process, {} were started", verb, world.size),
                "", "start it without mpirun");
  });
}

void PrepareArithmetic(const std::string& precision, const std::string& device) {
  if (precision != "fp32" && precision != "tf32" && precision != "bf16") {
    throw Error(ErrorCode::kUsage,
                fmt::format("the precision is \"{}\", expected fp32, tf32 or bf16", precision));
  }
  if (precision == "tf32" && device == "cpu")
    throw Error(ErrorCode::kUsage, "the precision is tf32, which only GPUs have", "", "use fp32 or bf16");
  at::globalContext().setFloat32MatmulPrecision(precision == "tf32" ? "high" : "highest");
  if (precision != "bf16" || device != "cpu") return;
  const std::string note = PrepareCpuBf16();
  if (!note.empty() && LaunchRank() == 0) fmt::print(stderr, "{}\n", note);
}

}  // namespace graticule
