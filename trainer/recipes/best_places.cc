#include "trainer/recipes/best_places.h"

#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>

#include <algorithm>

namespace graticule {

std::vector<std::vector<Prediction>> BestPlaces(const at::Tensor& logits_BN, std::span<const LatLon> places,
                                                int k) {
  const int64_t best = std::min<int64_t>(k, std::ssize(places));
  auto [values, rows] =
      at::topk(at::softmax(logits_BN.to(at::kFloat), 1), best, 1, /*largest=*/true, /*sorted=*/true);
  values = values.to(at::kCPU).contiguous();
  rows = rows.to(at::kCPU).contiguous();
  std::vector<std::vector<Prediction>> predictions(static_cast<size_t>(values.size(0)));
  const float* value = values.const_data_ptr<float>();
  const int64_t* row = rows.const_data_ptr<int64_t>();
  for (auto& found : predictions) {
    for (int64_t i = 0; i < best; ++i, ++value, ++row)
      found.push_back({places[static_cast<size_t>(*row)], *row, *value});
  }
  return predictions;
}

}  // namespace graticule
