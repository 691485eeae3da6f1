// Times forward and backward of a contrastive loss on one rank, and takes the memory that they need.
//   contrastive_loss KIND GPS_TO_IMAGE BETA TAU_PLUS ROWS WIDTH REPEATS THREADS
// Prints one line of JSON: seconds of each repeat, by the clock and of CPU, after a first one that does not
// count (with 0 repeats: of that one), the mean loss, and how far the resident memory rose above that of the
// inputs. Its Python counterpart is bench/contrastive_loss.py, which starts both in turn and makes the same
// inputs.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
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

#include "losses/contrastive/contrastive_loss.h"

namespace {

using namespace graticule;

// Numbers that Python makes alike: the fraction of a large multiple of a sine, in fp64.
at::Tensor Pseudorandom(int64_t rows, int64_t width, double offset) {
  const at::Tensor x =
      at::arange(rows * width, at::kDouble).add_(offset).mul_(12.9898).sin_().mul_(43758.5453);
  return (x - x.floor()).sub_(0.5).view({rows, width});
}

at::Tensor Unit(const at::Tensor& x) {
  return (x / x.norm(2, {1}, true)).to(at::kFloat).requires_grad_(true);
}

struct Problem {
  ContrastiveRows rows;
  ContrastivePlaces places;

  Problem(int64_t count, int64_t width) {
    const at::Tensor places_ND = Pseudorandom(count, width, 0.25);
    rows.images_ID = Unit(Pseudorandom(count, width, 0.75).mul_(8).add_(places_ND));
    rows.places_BD = Unit(places_ND);
    rows.log_scale = at::scalar_tensor(std::log(1 / 0.07), at::kFloat).requires_grad_(true);
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

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) return 2;
  ContrastiveConfig config;
  config.gps_to_image = std::atof(argv[2]);
  config.beta = std::atof(argv[3]), config.tau_plus = std::atof(argv[4]);
  const int64_t count = std::atoll(argv[5]), width = std::atoll(argv[6]), repeats = std::atoll(argv[7]);
  at::set_num_threads(std::atoi(argv[8]));
  const ContrastiveLoss loss(argv[1], config);
  const auto comm = MakeSingleCommunicator();
  Problem(64, width).Step(loss, *comm);  // libraries loaded, threads started

  Problem problem(count, width);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  const double before = StatusMib("VmRSS");
  std::vector<double> seconds, cpu_seconds;
  double value = 0;
  for (int64_t i = 0; i <= repeats; ++i) {
    const double cpu_start = CpuSeconds();
    const auto start = std::chrono::steady_clock::now();
    value = problem.Step(loss, *comm);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (i == 0 && repeats > 0) continue;
    seconds.push_back(spent.count());
    cpu_seconds.push_back(CpuSeconds() - cpu_start);
  }
  fmt::print("{{\"seconds\": [{:.5f}], \"cpu_s\": [{:.5f}], \"loss\": {:.6f}, \"peak_mib\": {:.1f}}}\n",
             fmt::join(seconds, ", "), fmt::join(cpu_seconds, ", "), value, StatusMib("VmHWM") - before);
}
