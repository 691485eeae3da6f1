#include "trainer/eval/hard_negatives.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace graticule {

std::vector<HardAnchor> FindHardNegatives(const at::Tensor& logits_NN, std::span<const int64_t> records,
                                          std::span<const LatLon> places,
                                          const HardNegativeOptions& options) {
  const int64_t n = std::ssize(records);
  GRATICULE_CHECK(logits_NN.is_contiguous() && logits_NN.size(0) == n && std::ssize(places) == n);
  std::vector<HardAnchor> anchors;
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const float* row = logits_NN.const_data_ptr<float>() + i * n;
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](int64_t a, int64_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
    HardAnchor anchor{records[static_cast<size_t>(i)], row[i], {}, {}};
    for (const int64_t j : order) {
      if (j == i) continue;
      const double km = HaversineKm(places[static_cast<size_t>(i)], places[static_cast<size_t>(j)]);
      std::vector<HardNegative>& kind = km < options.near_km ? anchor.near : anchor.far;
      if (std::ssize(kind) < options.shown) kind.push_back({records[static_cast<size_t>(j)], km, row[j]});
      if (std::ssize(anchor.near) == options.shown && std::ssize(anchor.far) == options.shown) break;
    }
    if (!anchor.far.empty()) anchors.push_back(std::move(anchor));
  }
  std::stable_sort(anchors.begin(), anchors.end(), [](const HardAnchor& a, const HardAnchor& b) {
    return a.far[0].logit - a.logit > b.far[0].logit - b.logit;
  });
  anchors.resize(static_cast<size_t>(std::min<int64_t>(options.anchors, std::ssize(anchors))));
  return anchors;
}

}  // namespace graticule
