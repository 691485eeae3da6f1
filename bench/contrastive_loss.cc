// Times forward and backward of a contrastive loss on one rank, and takes the memory that they need.
//   contrastive_loss KIND GPS_TO_IMAGE BETA TAU_PLUS ROWS WIDTH REPEATS THREADS cpu|cuda fp32|tf32
// Prints one line of JSON: seconds of each repeat, by the clock and of CPU, after a first one that does not
// count (with 0 repeats: of that one), the mean loss, and how far the memory rose above that of the inputs:
// the resident set, or on a GPU what its allocator gave out. Its Python counterpart is
// bench/contrastive_loss.py, which starts both in turn and makes the same inputs.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <time.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include "base/error.h"
#include "losses/contrastive/contrastive_loss.h"
#include "trainer/cuda_module.h"

namespace {

using namespace graticule;

// Numbers that Python makes alike: the fraction of a large multiple of a sine, in fp64.
at::Tensor Pseudorandom(int64_t rows, int64_t width, double offset) {
  const at::Tensor x =
      at::arange(rows * width, at::kDouble).add_(offset).mul_(12.9898).sin_().mul_(43758.5453);
  return (x - x.floor()).sub_(0.5).view({rows, width});
}

at::Tensor Unit(const at::Tensor& x, c10::Device device) {
  return (x / x.norm(2, {1}, true)).to(device, at::kFloat).requires_grad_(true);
}

struct Problem {
  ContrastiveRows rows;
  ContrastivePlaces places;

  Problem(int64_t count, int64_t width, c10::Device device) {
    const at::Tensor places_ND = Pseudorandom(count, width, 0.25);
    rows.images_ID = Unit(Pseudorandom(count, width, 0.75).mul_(8).add_(places_ND), device);
    rows.places_BD = Unit(places_ND, device);
    rows.log_scale = at::scalar_tensor(std::log(1 / 0.07), at::kFloat).to(device).requires_grad_(true);
    for (int64_t i = 0; i < count; ++i)
      places.batch.push_back({static_cast<double>(i % 170) - 85, static_cast<double>(i % 359) - 179});
  }

  double Step(const ContrastiveLoss& loss, Communicator& comm) {
    for (at::Tensor* input : {&rows.images_ID, &rows.places_BD, &rows.log_scale})
      input->mutable_grad().reset();
    const at::Tensor mean =
        loss.SumCollective(rows, places, comm).sum / static_cast<double>(rows.images_ID.size(0));
    mean.backward();
    return mean.item<double>();
  }
};

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double StatusMib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != key + ":") continue;
    double kib = 0;
    status >> kib;
    return kib / 1024;
  }
  return 0;
}

// Peak of the memory in MiB above what is taken when it is made.
class MemoryRise {
 public:
  explicit MemoryRise(c10::Device device) : device_(device) {
    if (device.is_cpu()) {
      std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
    } else {
      c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
    }
    before_ = device.is_cpu() ? StatusMib("VmRSS") : DeviceMib().current;
  }
  double Peak() const { return (device_.is_cpu() ? StatusMib("VmHWM") : DeviceMib().peak) - before_; }

 private:
  struct Mib {
    double current, peak;
  };
  Mib DeviceMib() const {
    const auto stats = c10::getDeviceAllocator(device_.type())->getDeviceStats(device_.index());
    const auto& all = stats.allocated_bytes[0];  // of all pools
    return {static_cast<double>(all.current) / (1 << 20), static_cast<double>(all.peak) / (1 << 20)};
  }
  const c10::Device device_;
  double before_ = 0;
};

c10::Device OpenDevice(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  CudaModule& module = LoadCudaModule();
  if (module.DeviceCount() == 0)
    throw Error(ErrorCode::kUsage, "no GPU here: " + module.DeviceProblem(), "contrastive_loss", "take cpu");
  module.SelectDevice(0);
  return {at::kCUDA, 0};
}

int Run(char** argv) {
  ContrastiveConfig config;
  config.gps_to_image = std::atof(argv[2]);
  config.beta = std::atof(argv[3]), config.tau_plus = std::atof(argv[4]);
  const int64_t count = std::atoll(argv[5]), width = std::atoll(argv[6]), repeats = std::atoll(argv[7]);
  at::set_num_threads(std::atoi(argv[8]));
  const ContrastiveLoss loss(argv[1], config);
  const c10::Device device = OpenDevice(argv[9]);
  at::globalContext().setFloat32MatmulPrecision(argv[10] == std::string("tf32") ? "high" : "highest");
  const auto comm = MakeSingleCommunicator();
  Problem(64, width, device).Step(loss, *comm);  // libraries loaded, threads started

  Problem problem(count, width, device);
  const MemoryRise memory(device);
  std::vector<double> seconds, cpu_seconds;
  double value = 0;
  for (int64_t i = 0; i <= repeats; ++i) {
    const double cpu_start = CpuSeconds();
    const auto start = std::chrono::steady_clock::now();
    value = problem.Step(loss, *comm);  // reads the loss, so a GPU is done too
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (i == 0 && repeats > 0) continue;
    seconds.push_back(spent.count());
    cpu_seconds.push_back(CpuSeconds() - cpu_start);
  }
  fmt::print("{{\"seconds\": [{:.5f}], \"cpu_s\": [{:.5f}], \"loss\": {:.6f}, \"peak_mib\": {:.1f}}}\n",
             fmt::join(seconds, ", "), fmt::join(cpu_seconds, ", "), value, memory.Peak());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 11) return 2;
  try {
    return Run(argv);
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
