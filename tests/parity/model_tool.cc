// Runs one forward and backward pass of a tower for the parity tests:
//   model_tool MODEL_DIR INPUT.safetensors OUTPUT.safetensors [recompute] [bf16] [no-grad] [export=DIR]
// INPUT holds pixel_values and, unless no-grad, the gradients d_last, d_pooler, d_embeds that enter at the
// three outputs. OUTPUT receives the outputs and "grad.<parameter>". Prints seconds; errors leave with their
// exit code.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/fs.h"
#include "base/safetensors.h"
#include "models/export.h"
#include "models/heads.h"
#include "models/hf_weights.h"
#include "models/tensor_io.h"

namespace {

using namespace graticule;

bool Has(const std::vector<std::string>& options, const std::string& wanted) {
  return std::find(options.begin(), options.end(), wanted) != options.end();
}

void Write(const std::string& path, const std::vector<NamedTensor>& tensors) {
  SafetensorsWriter writer;
  std::vector<at::Tensor> host;
  for (const NamedTensor& named : tensors) {
    host.push_back(named.tensor.detach().to(at::kFloat).contiguous());
    writer.Add(named.name, ViewOf(host.back()));
  }
  writer.Write(PosixFs(), path);
}

void WriteExportTo(const std::string& directory, const VisionTower& tower) {
  WriteExport(PosixFs(), directory, tower, Heads(tower.config().width, {{"climate", kClimateClasses}}, 5).parameters(),
              {"cells.safetensors", [](const std::string& path) { SafetensorsWriter().Write(PosixFs(), path); }},
              {.image_size = tower.config().image_size}, {{"pooling", "mean"}});
}

int Run(const std::string& model, const std::string& input, const std::string& output,
        const std::vector<std::string>& options) {
  ModelConfig config;
  config.init = model;
  config.Complete();
  VisionTower tower(config.vision, std::nullopt);
  LoadVisionWeights(tower, model);
  tower.set_recompute(Has(options, "recompute"));
  if (Has(options, "bf16")) tower.set_compute_dtype(at::kBFloat16);
  const auto file = SafetensorsFile::Open(input);
  const bool backward = !Has(options, "no-grad");
  at::AutoGradMode mode(backward);
  const VisionOutput out = tower.Forward(CopyToTensor(file->at("pixel_values")), true, true);
  std::vector<NamedTensor> results = {{"last_hidden_state", out.last_hidden_state_BTW},
                                      {"pooler_output", out.pooler_output_BW},
                                      {"image_embeds", out.image_embeds_BP}};
  if (backward) {
    torch::autograd::backward({out.last_hidden_state_BTW, out.pooler_output_BW, out.image_embeds_BP},
                              {CopyToTensor(file->at("d_last")).to(out.last_hidden_state_BTW.scalar_type()),
                               CopyToTensor(file->at("d_pooler")), CopyToTensor(file->at("d_embeds"))});
    for (const NamedTensor& parameter : tower.parameters())
      results.push_back({"grad." + parameter.name, parameter.tensor.grad()});
  }
  Write(output, results);
  for (const std::string& option : options)
    if (option.starts_with("export=")) WriteExportTo(option.substr(7), tower);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) {
    std::fprintf(stderr,
                 "usage: model_tool MODEL_DIR INPUT OUTPUT [recompute] [bf16] [no-grad] [export=DIR]\n");
    return 2;
  }
  try {
    return Run(arguments[0], arguments[1], arguments[2], {arguments.begin() + 3, arguments.end()});
  } catch (const graticule::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
}
