#include "trainer/cuda_module.h"

#include <fmt/format.h>

#include "base/error.h"
#include "trainer/comm/module.h"

namespace graticule {

CudaModule& LoadCudaModule() {
  static CudaModule* const module = [] {
    void* entry = OpenModule(
        "libgraticule_cuda.so", kCudaModuleEntry, "CUDA",
        "it needs a build with nvcc (scripts/setup.sh --cuda), the complete torch wheel with its NVIDIA "
        "packages, and a driver of release 580 or later; or choose the CPU (train.device=cpu, or --device "
        "cpu)");
    CudaModule* found = reinterpret_cast<CudaModuleEntry>(entry)(kCudaModuleVersion);
    if (!found) {
      throw Error(ErrorCode::kUsage, "libgraticule_cuda.so comes from another build", "",
                  "rebuild the module from the same source as the program");
    }
    contrastive_kernels = &found->Contrastive();
    return found;
  }();
  return *module;
}

std::string CudaModuleVersion() {
  try {
    return LoadCudaModule().Version();
  } catch (const Error& error) {
    return error.message();
  }
}

std::unique_ptr<Communicator> OpenDeviceCollective(CudaModule& module, Communicator& control, int local_rank,
                                                   double timeout_s) {
  const int devices = module.DeviceCount();
  // Agreed before anybody acts: a rank without a GPU would leave the others waiting in NCCL.
  const double missing = control.SumScalar(local_rank < devices ? 0 : 1);
  if (missing > 0) {
    std::string found = fmt::format("this host has {}, this is its rank {}", devices, local_rank);
    if (devices == 0) found += ": " + module.DeviceProblem();
    throw Error(
        ErrorCode::kUsage,
        fmt::format("{:g} of {} ranks have no GPU of their own ({})", missing, control.world_size(), found),
        "train.device", "start one rank per GPU, or choose the CPU (train.device=cpu, or --device cpu)");
  }
  module.SelectDevice(local_rank);
  return module.ConnectCollective(control, timeout_s);
}

}  // namespace graticule
