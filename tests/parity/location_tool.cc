// location_tool WEIGHTS.safetensors PLACES.safetensors OUT.safetensors parity|plain fp32|fp64
//
// GeoCLIP's location tower over `places` f64 [N, 2] (latitude, longitude), for comparison with the published
// package: writes `embeddings` [N, 512] in the type asked for.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/safetensors.h"
#include "models/location_encoder.h"
#include "models/tensor_io.h"

namespace graticule {
namespace {

int Run(const std::vector<std::string>& a) {
  const at::NoGradGuard no_grad;
  const auto weights = SafetensorsFile::Open(a.at(0));
  const auto input = SafetensorsFile::Open(a.at(1));
  LocationEncoder encoder({.parity = a.at(3) == "parity"}, std::nullopt);
  const at::ScalarType type = a.at(4) == "fp64" ? at::kDouble : at::kFloat;
  for (const NamedTensor& p : encoder.parameters()) {
    at::Tensor handle = p.tensor;
    handle.set_data(CopyToTensor(weights->at(p.name)).to(type));
  }
  const at::Tensor places = CopyToTensor(input->at("places")).contiguous();
  std::vector<LatLon> list;
  for (int64_t i = 0; i < places.size(0); ++i)
    list.push_back({places[i][0].item<double>(), places[i][1].item<double>()});
  const at::Tensor out = encoder.Forward(list).contiguous();
  SafetensorsWriter writer;
  writer.Add("embeddings", ViewOf(out));
  writer.Write(PosixFs(), a.at(2));
  return 0;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  try {
    return graticule::Run({argv + 1, argv + argc});
  } catch (const graticule::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
