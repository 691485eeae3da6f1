// Run by cuda_module_test.py: jpeg_check open|compare. `compare` needs a GPU.
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "base/error.h"
#include "tests/gpu/jpeg_groups.h"
#include "trainer/cuda_module.h"

namespace graticule {
namespace {

int Main(const std::string& mode) {
  CudaModule& module = LoadCudaModule();
  if (mode == "open") {
    module.Jpegs();
  } else {
    Expect(module.DeviceCount() > 0, "no GPU: " + module.DeviceProblem());
    module.SelectDevice(0);
    CompareGroups(module.Jpegs());
    fmt::print("ok on {}\n", module.DescribeDevice(0));
  }
  return 0;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  try {
    return graticule::Main(argc > 1 ? argv[1] : "open");
  } catch (const graticule::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
