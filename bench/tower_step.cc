// Times training steps of a tower: forward, mean over tokens, linear head, cross-entropy, backward, fused
// AdamW.
//   tower_step WIDTH LAYERS HEADS IMAGE PATCH BATCH STEPS THREADS [bf16] [recompute]
// Prints one line of JSON with the seconds of every step, by the clock and of CPU. Its Python counterpart is
// bench/tower_step.py, which starts both in turn.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "losses/geocell_loss.h"
#include "models/allocator.h"
#include "models/heads.h"
#include "models/vision_tower.h"

namespace {

using namespace graticule;

constexpr int64_t kCells = 300;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Adam {
  std::vector<at::Tensor> parameters, averages, squares, steps;

  explicit Adam(const std::vector<NamedTensor>& named) {
    for (const NamedTensor& p : named) {
      if (!p.tensor.requires_grad()) continue;
      parameters.push_back(p.tensor);
      averages.push_back(at::zeros_like(p.tensor));
      squares.push_back(at::zeros_like(p.tensor));
      steps.push_back(at::zeros({}, at::kFloat));
    }
  }
  void Step() {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> gradients;
    for (at::Tensor& step : steps) step.add_(1);
    for (const at::Tensor& p : parameters) gradients.push_back(p.grad());
    at::_fused_adamw_(parameters, gradients, averages, squares, {}, steps, 1e-4, 0.9, 0.999, 0.01, 1e-8,
                      /*amsgrad=*/false, /*maximize=*/false);
    // As the trainer's optimiser does: casts of the weights must be renewed.
    for (const at::Tensor& parameter : parameters) parameter.unsafeGetTensorImpl()->bump_version();
    for (at::Tensor& p : parameters) p.mutable_grad().reset();
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 9) return 2;
  KeepFreedMemory();  // as graticule-train does
  VisionConfig config;
  config.width = std::atoll(argv[1]), config.layers = std::atoll(argv[2]), config.heads = std::atoll(argv[3]);
  config.image_size = std::atoll(argv[4]), config.patch_size = std::atoll(argv[5]),
  config.mlp_width = 4 * config.width;
  const int64_t batch = std::atoll(argv[6]), steps = std::atoll(argv[7]);
  at::set_num_threads(std::atoi(argv[8]));
  const std::vector<std::string> options(argv + 9, argv + argc);
  const auto has = [&](const char* name) {
    return std::find(options.begin(), options.end(), name) != options.end();
  };
  VisionTower tower(config, 1);
  tower.Freeze(0, false, false);
  tower.set_recompute(has("recompute"));
  if (has("bf16")) tower.set_compute_dtype(at::kBFloat16);
  const Heads heads(config.width, {{"geocell", kCells}}, 2);
  std::vector<NamedTensor> parameters = tower.parameters();
  parameters.insert(parameters.end(), heads.parameters().begin(), heads.parameters().end());
  Adam adam(parameters);
  const at::Tensor images = at::randn({batch, 3, config.image_size, config.image_size});
  const at::Tensor labels = at::rand({batch, kCells});
  std::string times, cpu_times;
  double loss_value = 0;
  for (int64_t step = 0; step < steps; ++step) {
    const double cpu_start = CpuSeconds();
    const auto start = std::chrono::steady_clock::now();
    const at::Tensor pooled = Pool(tower.Forward(images, false, false), "mean");
    const at::Tensor loss =
        SoftCrossEntropySum(heads.Forward(pooled)[0], labels) / static_cast<double>(batch);
    loss.backward();
    adam.Step();
    loss_value = loss.item<double>();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    times += fmt::format("{}{:.6f}", step ? ", " : "", spent.count());
    cpu_times += fmt::format("{}{:.6f}", step ? ", " : "", CpuSeconds() - cpu_start);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"steps_s\": [{}], \"cpu_s\": [{}], \"loss\": {:.6f}, \"peak_mib\": {}, \"page_faults\": {}}}\n",
      times, cpu_times, loss_value, usage.ru_maxrss / 1024, usage.ru_minflt);
}
