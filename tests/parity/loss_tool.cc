// Losses of one batch for the parity tests: loss_tool INPUT.safetensors OUTPUT.safetensors REFERENCE TAU_KM
// NORMALISE INPUT: centres [K,2], places [B,2] f64 degrees (lat, lon); cells [B] i64; logits [B,K];
// climate_logits [B,30], climate [B] i64; predicted [B,6], raw [B,6], mean [6], deviation [6] f64. OUTPUT:
// labels, three sums, gradients.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/fs.h"
#include "base/safetensors.h"
#include "losses/auxiliary_loss.h"
#include "losses/geocell_loss.h"
#include "losses/regression_targets.h"
#include "losses/soft_labels.h"
#include "models/tensor_io.h"

namespace {

using namespace graticule;

std::vector<LatLon> Places(const at::Tensor& table) {
  std::vector<LatLon> places;
  for (int64_t i = 0; i < table.size(0); ++i) {
    const double* row = table.const_data_ptr<double>() + 2 * i;
    places.push_back({row[0], row[1]});
  }
  return places;
}

void Run(char** argv) {
  const auto file = SafetensorsFile::Open(argv[1]);
  const auto get = [&](const char* name) { return CopyToTensor(file->at(name)); };
  const SoftLabels labeller(Places(get("centres")), {argv[3], std::atof(argv[4]), std::atoi(argv[5]) != 0});
  const at::Tensor places = get("places"), cells = get("cells");
  at::Tensor labels = at::empty({places.size(0), labeller.size()}, at::kFloat);
  labeller.Fill(Places(places), {cells.const_data_ptr<int64_t>(), static_cast<size_t>(cells.numel())},
                labels.data_ptr<float>());
  const at::Tensor logits = get("logits").requires_grad_(true),
                   climate = get("climate_logits").requires_grad_(true),
                   predicted = get("predicted").requires_grad_(true), raw = get("raw");
  RegressionTargets rule;
  std::copy_n(get("mean").const_data_ptr<double>(), kRegressionColumns, rule.mean.begin());
  std::copy_n(get("deviation").const_data_ptr<double>(), kRegressionColumns, rule.deviation.begin());
  at::Tensor targets = at::empty_like(raw);
  rule.Forward({raw.const_data_ptr<float>(), static_cast<size_t>(raw.numel())}, targets.data_ptr<float>());
  const at::Tensor sums =
      at::stack({SoftCrossEntropySum(logits, labels), ClassCrossEntropySum(climate, get("climate")),
                 SquaredErrorSum(predicted, targets)});
  sums.sum().backward();
  const at::Tensor values = sums.detach();
  SafetensorsWriter writer;
  writer.Add("labels", ViewOf(labels));
  writer.Add("sums", ViewOf(values));
  writer.Add("d_logits", ViewOf(logits.grad()));
  writer.Add("d_climate", ViewOf(climate.grad()));
  writer.Add("d_predicted", ViewOf(predicted.grad()));
  writer.Write(PosixFs(), argv[2]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  try {
    Run(argv);
    return 0;
  } catch (const graticule::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
}
