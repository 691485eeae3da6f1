// Run by cuda_module_test.py: cuda_check MODE. Everything but `open` and `version` needs a GPU.
#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/gpu/contrastive_check.h"
#include "trainer/comm/world.h"
#include "trainer/cuda_module.h"
#include "trainer/sync/grad_sync.h"

namespace graticule {
namespace {

void Expect(bool condition, const char* what) {
  if (!condition) throw Error(ErrorCode::kBug, std::string("wrong: ") + what);
}

at::Device DeviceOf(const World& world) {
  return {at::kCUDA, static_cast<c10::DeviceIndex>(world.local_rank)};
}

void Nccl(World& world) {
  const int n = world.size, r = world.rank;
  const auto on = at::TensorOptions(DeviceOf(world));
  for (const auto& [type, dtype] :
       {std::pair{at::kFloat, DType::kF32}, {at::kBFloat16, DType::kBF16}, {at::kLong, DType::kI64}}) {
    at::Tensor x = at::full({100003}, r + 1, on.dtype(type));
    WorkPtr work =
        world.data.AllReduce(x.data_ptr(), 100003, dtype, ReduceOp::kSum, world.cuda->ComputeStream());
    work->WaitOn(world.cuda->ComputeStream());
    Expect((x == n * (n + 1) / 2).all().item<bool>(), "all-reduce");
  }
  at::Tensor mine = at::full({7}, r, on.dtype(at::kFloat)), all = at::full({7 * n}, -1, on.dtype(at::kFloat));
  world.data.AllGather(mine.data_ptr(), all.data_ptr(), 7, DType::kF32, world.cuda->ComputeStream())->Wait();
  for (int k = 0; k < n; ++k) Expect((all.narrow(0, 7 * k, 7) == k).all().item<bool>(), "all-gather");
  at::Tensor part = at::empty({7}, on.dtype(at::kFloat));
  world.data
      .ReduceScatter(all.data_ptr(), part.data_ptr(), 7, DType::kF32, ReduceOp::kMax,
                     world.cuda->ComputeStream())
      ->Wait();
  Expect((part == r).all().item<bool>(), "reduce-scatter");
  world.data.Broadcast(part.data_ptr(), 7, DType::kF32, n - 1, world.cuda->ComputeStream())->Wait();
  Expect((part == n - 1).all().item<bool>(), "broadcast");
  world.data.Barrier();
}

// The kernel against plain arithmetic on the CPU, odd sizes included.
void Normalise(World& world) {
  const PixelScale scale{{0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}};
  HostAllocator& pinned = world.cuda->PinnedAllocator();
  for (int round = 0; round < 5; ++round) {
    const int64_t b = 3 + round, h = 31, w = 17 + round;
    const size_t bytes = static_cast<size_t>(b * h * w) * 3;
    auto* pixels = static_cast<uint8_t*>(pinned.Allocate(bytes));
    for (size_t i = 0; i < bytes; ++i) pixels[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      const auto type = dtype == DType::kF32 ? at::kFloat : at::kBFloat16;
      at::Tensor out = at::empty({b, 3, h, w}, at::TensorOptions(DeviceOf(world)).dtype(type));
      world.cuda->UploadImages({pixels, b, h, w}, scale, out.data_ptr(), dtype)->Wait();
      const at::Tensor got = out.to(at::kFloat).cpu();
      const auto value = got.accessor<float, 4>();
      const double tolerance = dtype == DType::kF32 ? 1e-6 : 1.0 / 256;
      for (int64_t i = 0; i < b * h * w; ++i) {
        for (int c = 0; c < 3; ++c) {
          const double expected = (pixels[3 * i + c] / 255.0 - scale.mean[c]) / scale.deviation[c];
          const double error = std::abs(value[i / (h * w)][c][i / w % h][i % w] - expected);
          Expect(error <= tolerance * std::max(1.0, std::abs(expected)), "normalised pixel");
        }
      }
    }
    pinned.Free(pixels, bytes);
  }
}

// One step of a small perceptron through GradSync, bf16 products on the GPU against fp32 on the CPU.
at::Tensor Gradients(World& world, const at::Device& device, at::ScalarType compute) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({64, 128}), w1 = at::randn({256, 128}) * 0.05,
                   w2 = at::randn({32, 256}) * 0.05;
  std::vector<NamedTensor> p = {{"w1", w1.to(device).set_requires_grad(true)},
                                {"w2", w2.to(device).set_requires_grad(true)}};
  auto single = MakeSingleCommunicator();
  CommConfig config;
  config.first_bucket_mb = 0.01;
  GradSync sync(p, device.is_cuda() ? world.data : *single, world.control, config,
                device.is_cuda() ? world.cuda : nullptr);
  sync.ZeroGrads();
  sync.BeginBackward(true);
  const at::Tensor input = x.to(device).to(compute);
  at::Tensor h = at::gelu(at::matmul(input, p[0].tensor.to(compute).t()));
  at::matmul(h, p[1].tensor.to(compute).t()).to(at::kFloat).square().mean().backward();
  sync.FinishCollective();
  Expect(std::isfinite(sync.flat().norm().item<double>()), "finite norm");
  return sync.flat().cpu().to(at::kDouble);
}

void Step(World& world) {
  const at::Tensor expected = Gradients(world, at::kCPU, at::kFloat) * (world.size);
  const double error32 =
      ((Gradients(world, DeviceOf(world), at::kFloat) - expected).norm() / expected.norm()).item<double>();
  const double error16 =
      ((Gradients(world, DeviceOf(world), at::kBFloat16) - expected).norm() / expected.norm()).item<double>();
  std::printf("gradients: fp32 %.2e, bf16 %.2e relative to the CPU\n", error32, error16);
  Expect(error32 < 1e-4 && error16 < 2e-2, "gradients on the GPU");
}

int Run(const std::string& mode) {
  if (mode == "version") {
    std::printf("%s\n", LoadCudaModule().Version().c_str());
    return 0;
  }
  return RunInWorld({.device = "cuda", .timeout_s = 60}, [&](World& world) {
    if (mode == "nccl") Nccl(world);
    if (mode == "normalise") Normalise(world);
    if (mode == "step") Step(world);
    if (mode == "contrastive") CheckContrastive(DeviceOf(world));
    if (world.is_first()) std::printf("ok on %s\n", world.cuda->DescribeDevice(world.local_rank).c_str());
    return 0;
  });
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  try {
    return graticule::Run(argc > 1 ? argv[1] : "open");
  } catch (const graticule::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
}
