// best_places_tool INPUT.safetensors OUT.safetensors cells|gallery K NEAR_KM
//
// Of `latlon` f64 [M, 2] and `logits` f32 [B, M], a column per row: the K best answers of each image, as
// `cell` i64, `probability` and `near_probability` f64, all [B, K], fewer columns where there are fewer
// answers.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/safetensors.h"
#include "models/tensor_io.h"
#include "trainer/recipes/best_places.h"

namespace graticule {
namespace {

void Main(const std::vector<std::string>& a) {
  const auto input = SafetensorsFile::Open(a.at(0));
  const at::Tensor latlon = CopyToTensor(input->at("latlon")), logits = CopyToTensor(input->at("logits"));
  std::vector<LatLon> places;
  for (int64_t i = 0; i < latlon.size(0); ++i)
    places.push_back({latlon[i][0].item<double>(), latlon[i][1].item<double>()});
  const PlaceChoice choice =
      a.at(2) == "cells" ? PlaceChoice::OfCells(places) : PlaceChoice::OfGallery(places);
  const at::Tensor columns = logits.index_select(1, at::tensor(choice.rows(), at::kLong));
  std::vector<int64_t> cell;
  std::vector<double> probability, near_probability;
  for (const auto& answers : choice.Best(columns, std::stoi(a.at(3)), std::stod(a.at(4)))) {
    for (const Prediction& p : answers) {
      cell.push_back(p.cell);
      probability.push_back(p.probability);
      near_probability.push_back(p.near_probability);
    }
  }
  const std::vector<int64_t> shape = {logits.size(0), -1};
  const at::Tensor cells = at::tensor(cell, at::kLong).view(shape),
                   own = at::tensor(probability, at::kDouble).view(shape),
                   near = at::tensor(near_probability, at::kDouble).view(shape);
  SafetensorsWriter writer;
  writer.Add("cell", ViewOf(cells));
  writer.Add("probability", ViewOf(own));
  writer.Add("near_probability", ViewOf(near));
  writer.Write(PosixFs(), a.at(1));
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  try {
    graticule::Main({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
