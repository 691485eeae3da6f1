#include "launch/verbs/version.h"

#include <H5public.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "launch/commit.h"
#include "trainer/comm/world.h"
#include "trainer/cuda_module.h"

namespace graticule {
namespace {

int Version(const std::vector<std::string>& arguments) {
  unsigned major = 0, minor = 0, patch = 0;
  H5get_libversion(&major, &minor, &patch);
  const std::string mpi = MpiVersion();
  const nlohmann::ordered_json json = {{"graticule", kVersion},
                                       {"commit", kCommit},
                                       {"torch", TORCH_VERSION},
                                       {"cuda", CudaModuleVersion()},  // CUDA and NCCL, or why there is none
                                       {"mpi", mpi.empty() ? "none" : mpi},
                                       {"hdf5", fmt::format("{}.{}.{}", major, minor, patch)}};
  if (std::find(arguments.begin(), arguments.end(), "--json") != arguments.end()) {
    fmt::print("{}\n", JsonText(json));
    return 0;
  }
  for (const auto& [key, value] : json.items()) fmt::print("{:<10} {}\n", key, value.get<std::string>());
  return 0;
}

}  // namespace

Verb VersionVerb() { return {"--version", "versions of everything inside", Version}; }

}  // namespace graticule
