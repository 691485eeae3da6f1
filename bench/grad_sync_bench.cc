// How much of the gradient reduction does backward hide? Run under mpirun, one line of JSON from rank 0:
//   mpirun --bind-to none -n 2 build/release/bin/grad_sync_bench [LAYERS] [WIDTH] [BATCH] [STEPS]
// Four ways to run the same backward, medians over STEPS: without reduction, with the reduction after
// backward, with it overlapped, and the reduction alone. hidden = (after - overlapped) / (after - without).
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "trainer/comm/world.h"
#include "trainer/sync/grad_sync.h"

namespace graticule {
namespace {

struct Setup {
  int64_t layers = 4, width = 768, batch = 512;
  int steps = 7;
};

double MedianSeconds(World& world, int steps, const std::function<void()>& prepare,
                     const std::function<void()>& body) {
  std::vector<double> seconds;
  for (int i = 0; i <= steps; ++i) {
    prepare();
    world.control.Barrier();
    const auto start = std::chrono::steady_clock::now();
    body();
    const double own = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (i > 0) seconds.push_back(world.control.MaxScalar(own));  // the first is warm-up
  }
  std::nth_element(seconds.begin(), seconds.begin() + steps / 2, seconds.end());
  return seconds[steps / 2];
}

int Run(World& world, const Setup& setup) {
  at::set_num_threads(world.cpus);
  std::vector<NamedTensor> p;
  for (int64_t l = 0; l < setup.layers; ++l) {
    const std::string name = "layer" + std::to_string(l);
    p.push_back({name + ".up", (at::randn({4 * setup.width, setup.width}) * 0.02).set_requires_grad(true)});
    p.push_back({name + ".down", (at::randn({setup.width, 4 * setup.width}) * 0.02).set_requires_grad(true)});
  }
  const at::Tensor x = at::randn({setup.batch, setup.width});
  at::Tensor loss;
  const auto forward = [&] {
    at::Tensor h = x;
    for (size_t i = 0; i < p.size(); i += 2) {
      h = h + at::matmul(at::gelu(at::matmul(h, p[i].tensor.t())), p[i + 1].tensor.t());
    }
    loss = h.square().mean();
  };
  CommConfig config;
  double seconds[3] = {};  // reduction after backward, overlapped, none
  int64_t bytes = 0;
  int buckets = 0;
  for (const bool overlap : {false, true}) {
    config.overlap = overlap;
    GradSync sync(p, world.data, world.control, config);
    seconds[overlap] = MedianSeconds(
        world, setup.steps,
        [&] {
          sync.ZeroGrads();
          forward();
          sync.BeginBackward(true);
        },
        [&] {
          loss.backward();
          sync.FinishCollective();
        });
    bytes = sync.stats().bytes;
    buckets = sync.stats().buckets;
    if (overlap) continue;
    sync.BeginBackward(false);
    seconds[2] = MedianSeconds(world, setup.steps, forward, [&] { loss.backward(); });
  }
  std::vector<float> payload(static_cast<size_t>(bytes) / 4, 1.0f);
  const double alone = MedianSeconds(
      world, setup.steps, [] {},
      [&] { world.data.AllReduce(payload.data(), payload.size(), DType::kF32, ReduceOp::kMax)->Wait(); });
  if (world.is_first()) {
    std::printf(
        "{\"ranks\": %d, \"threads_per_rank\": %d, \"gradient_mib\": %.1f, \"buckets\": %d, "
        "\"backward_s\": %.4f, \"backward_then_reduce_s\": %.4f, \"overlapped_s\": %.4f, \"reduce_alone_s\": "
        "%.4f, "
        "\"hidden_share\": %.3f}\n",
        world.size, world.cpus, static_cast<double>(bytes) / (1 << 20), buckets, seconds[2], seconds[0],
        seconds[1], alone, (seconds[0] - seconds[1]) / std::max(1e-9, seconds[0] - seconds[2]));
  }
  return 0;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  graticule::Setup setup;
  if (argc > 1) setup.layers = std::atoll(argv[1]);
  if (argc > 2) setup.width = std::atoll(argv[2]);
  if (argc > 3) setup.batch = std::atoll(argv[3]);
  if (argc > 4) setup.steps = std::max(1, std::atoi(argv[4]));
  return graticule::RunInWorld({}, [&](graticule::World& world) { return graticule::Run(world, setup); });
}
