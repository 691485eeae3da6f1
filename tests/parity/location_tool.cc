// GeoCLIP's two heads, for comparison with the published package:
//
// location_tool WEIGHTS INPUT.safetensors OUT.safetensors parity|plain|image fp32|fp64 [PREFIX]
//   parity, plain: the location tower over `places` f64 [N, 2] (latitude, longitude); image: the image head
//   over `features` [N, 768]. Writes `embeddings` [N, 512] in the type asked for.
// location_tool release IMAGE LOCATION SCALE OUT.safetensors
//   the three files of weights as one whole model; prints the scale that its logits are multiplied with.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/safetensors.h"
#include "models/geoclip_weights.h"
#include "models/image_mlp.h"
#include "models/location_encoder.h"
#include "models/tensor_io.h"

namespace graticule {
namespace {

void Load(const std::vector<NamedTensor>& parameters, const std::string& path, const std::string& prefix,
          at::ScalarType type) {
  LoadGeoclipWeights(parameters, path, {.prefixes = {prefix}});
  for (const NamedTensor& p : parameters) {
    at::Tensor handle = p.tensor;
    handle.set_data(p.tensor.to(type));
  }
}

std::vector<LatLon> Places(const at::Tensor& places_N2) {
  std::vector<LatLon> list;
  for (int64_t i = 0; i < places_N2.size(0); ++i)
    list.push_back({places_N2[i][0].item<double>(), places_N2[i][1].item<double>()});
  return list;
}

void Embed(const std::vector<std::string>& a) {
  const auto input = SafetensorsFile::Open(a.at(1));
  const at::ScalarType type = a.at(4) == "fp64" ? at::kDouble : at::kFloat;
  const std::string prefix = a.size() > 5 ? a[5] : "";
  at::Tensor out;
  if (a.at(3) == "image") {
    const ImageMlp mlp({}, std::nullopt);
    Load(mlp.parameters(), a.at(0), prefix, type);
    out = mlp.Forward(CopyToTensor(input->at("features")).to(type));
  } else {
    const LocationEncoder encoder({.parity = a.at(3) == "parity"}, std::nullopt);
    Load(encoder.parameters(), a.at(0), prefix, type);
    out = encoder.Forward(Places(CopyToTensor(input->at("places"))));
  }
  out = out.contiguous();
  SafetensorsWriter writer;
  writer.Add("embeddings", ViewOf(out));
  writer.Write(PosixFs(), a.at(2));
}

void Release(const std::vector<std::string>& a) {
  const ImageMlp mlp({}, std::nullopt);
  const LocationEncoder encoder({}, std::nullopt);
  const NamedTensor scale = {"logit_scale", at::empty({}, at::kFloat)};
  LoadGeoclipWeights(mlp.parameters(), a.at(1));
  LoadGeoclipWeights(encoder.parameters(), a.at(2));
  LoadGeoclipWeights({&scale, 1}, a.at(3));
  SaveGeoclipWeights(
      PosixFs(), a.at(4),
      {{kImagePrefix, mlp.parameters()}, {kLocationPrefix, encoder.parameters()}, {"", {scale}}});
  fmt::print("{}\n", std::exp(scale.tensor.item<double>()));
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  try {
    const at::NoGradGuard no_grad;
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (!arguments.empty() && arguments[0] == "release")
      graticule::Release(arguments);
    else
      graticule::Embed(arguments);
    return 0;
  } catch (const graticule::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
