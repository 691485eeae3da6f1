// Runs one of our optimisers over gradients that the caller chose, for comparison with torch.optim.
//
// usage: optim_tool KIND LR WEIGHT_DECAY MOMENTUM NESTEROV CLIP STEPS IN OUT
// IN, OUT: raw little-endian fp32. IN: the values of "matrix" [8, 5] and "vector" [7], then STEPS times their
// gradients. OUT: STEPS times the values after the step. The vector has no weight decay, the matrix half the
// rate.
#include <ATen/ATen.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "trainer/optim/gradient_norm.h"
#include "trainer/optim/optimizer.h"

using namespace graticule;  // NOLINT: a test program of one file

int main(int argc, char** argv) {
  if (argc != 10) return 2;
  OptimConfig config;
  config.kind = argv[1];
  config.lr = std::stod(argv[2]);
  config.weight_decay = std::stod(argv[3]);
  config.momentum = std::stod(argv[4]);
  config.nesterov = std::stoi(argv[5]) != 0;
  config.clip_norm = std::stod(argv[6]);
  const int steps = std::stoi(argv[7]);
  std::ifstream in(argv[8], std::ios::binary);
  std::ofstream out(argv[9], std::ios::binary);
  const auto read = [&](const at::Tensor& t) {
    in.read(static_cast<char*>(t.mutable_data_ptr()), static_cast<std::streamsize>(t.nbytes()));
  };
  // One flat buffer behind both gradients, with padding between them, as GradSync lays them out.
  const at::Tensor bucket = at::zeros({64 + 64});
  const at::Tensor matrix_grad = bucket.narrow(0, 0, 40).view({8, 5}), vector_grad = bucket.narrow(0, 64, 7);
  at::Tensor matrix = at::zeros({8, 5}), vector = at::zeros({7});
  read(matrix);
  read(vector);
  matrix.set_requires_grad(true);
  vector.set_requires_grad(true);
  const auto optimizer = Optimizer::Create(
      config, {{"matrix", {{"matrix", matrix}}, 0.5, true}, {"vector", {{"vector", vector}}, 1.0, false}},
      {{"matrix", matrix_grad}, {"vector", vector_grad}});
  for (int step = 0; step < steps; ++step) {
    read(matrix_grad);
    read(vector_grad);
    const GradientNorm norm = ComputeGradientNorm({bucket});
    ClipGradients({bucket}, norm.norm, config.clip_norm);
    optimizer->Step(config.lr, norm.found_inf);
    for (const at::Tensor& t : {matrix, vector}) {
      out.write(static_cast<const char*>(t.const_data_ptr()), static_cast<std::streamsize>(t.nbytes()));
    }
  }
  return in && out ? 0 : 1;
}
