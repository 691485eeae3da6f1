// Run under mpirun by tests/parity/ddp_test.py: grad_sync_check FOLDER ACCUMULATION GRAD_DTYPE.
// A small perceptron with the weights and data of FOLDER (raw fp32, little-endian); rank 0 writes the
// gradients of the mean loss over the global batch to FOLDER/grads.bin, in parameter order.
#include <ATen/ATen.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "base/error.h"
#include "trainer/comm/world.h"
#include "trainer/sync/grad_sync.h"

namespace graticule {
namespace {

constexpr int64_t kIn = 24, kHidden = 96, kOut = 10, kBatch = 32;

at::Tensor Take(std::ifstream& file, at::IntArrayRef shape) {
  at::Tensor t = at::empty(shape, at::kFloat);
  file.read(static_cast<char*>(t.data_ptr()), t.numel() * 4);
  if (!file) throw Error(ErrorCode::kData, "input is too short");
  return t;
}

int Run(World& world, const std::string& folder, int accumulation, const std::string& grad_dtype) {
  std::ifstream weights(folder + "/weights.bin", std::ios::binary),
      data(folder + "/data.bin", std::ios::binary);
  std::vector<NamedTensor> p;
  const auto add = [&](const char* name, at::IntArrayRef shape) {
    p.push_back({name, Take(weights, shape).set_requires_grad(true)});
  };
  add("0.weight", {kHidden, kIn}), add("0.bias", {kHidden});
  add("1.weight", {kHidden}), add("1.bias", {kHidden});
  add("3.weight", {kHidden, kHidden}), add("3.bias", {kHidden});
  add("5.weight", {kOut, kHidden}), add("5.bias", {kOut});
  const at::Tensor x = Take(data, {kBatch, kIn}), y = Take(data, {kBatch, kOut});

  CommConfig config;
  config.grad_dtype = grad_dtype;
  config.first_bucket_mb = 0.002;
  config.bucket_mb = 0.02;
  GradSync sync(p, world.data, world.control, config);
  const int64_t micro = kBatch / world.size / accumulation;
  for (int step = 0; step < 2; ++step) {
    sync.ZeroGrads();
    for (int m = 0; m < accumulation; ++m) {
      sync.BeginBackward(m + 1 == accumulation);
      const int64_t begin = (world.rank * accumulation + m) * micro;
      at::Tensor h = at::addmm(p[1].tensor, x.narrow(0, begin, micro), p[0].tensor.t());
      h = at::gelu(at::layer_norm(h, {kHidden}, p[2].tensor, p[3].tensor));
      h = at::tanh(at::addmm(p[5].tensor, h, p[4].tensor.t()));
      h = at::addmm(p[7].tensor, h, p[6].tensor.t());
      ((h - y.narrow(0, begin, micro)).square().sum() / (kBatch * kOut)).backward();
    }
    sync.FinishCollective();
  }
  if (!world.is_first()) return 0;
  std::ofstream out(folder + "/grads.bin", std::ios::binary);
  for (size_t i = 0; i < p.size(); ++i) {
    const at::Tensor g = sync.GradOf(i).contiguous();
    out.write(static_cast<const char*>(g.data_ptr()), g.numel() * 4);
  }
  return out.good() ? 0 : 1;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    return graticule::RunInWorld({}, [&](graticule::World& world) {
      return graticule::Run(world, argv[1], std::stoi(argv[2]), argv[3]);
    });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
