#include "trainer/order/similarity_lists.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "base/error.h"
#include "geo/place_neighbours.h"

namespace graticule {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void CheckFinite(const at::Tensor& rows_ND, const char* what) {
  const at::Tensor good_N = at::isfinite(rows_ND).all(1);
  const int64_t bad = rows_ND.size(0) - good_N.sum().item<int64_t>();
  if (bad == 0) return;
  throw Error(ErrorCode::kNumerics, fmt::format("{} of {} {} are not finite", bad, rows_ND.size(0), what),
              "similarity lists");
}

struct Places {
  at::Tensor xyz_N3;     // fp64 unit vectors, the pole for what is none
  at::Tensor missing_N;  // bool
};

Places OnDevice(std::span<const LatLon> places, c10::Device device) {
  const auto n = static_cast<int64_t>(places.size());
  at::Tensor xyz_N3 = at::empty({n, 3}, at::kDouble), missing_N = at::empty({n}, at::kBool);
  for (int64_t i = 0; i < n; ++i) {
    const bool valid = IsValid(places[i]);
    const UnitVector v = valid ? ToUnitVector(places[i]) : UnitVector{0, 0, 1};
    double* row = xyz_N3.mutable_data_ptr<double>() + 3 * i;
    row[0] = v.x, row[1] = v.y, row[2] = v.z;
    missing_N.mutable_data_ptr<bool>()[i] = !valid;
  }
  return {xyz_N3.to(device), missing_N.to(device)};
}

// The best of one chunk of images so far: scores, -infinity where there is none, and rows.
struct Best {
  at::Tensor score_CK, row_CK;
};

void Merge(Best& best, const at::Tensor& score_CT, int64_t first_column, int64_t k) {
  auto [score, column] = at::topk(score_CT, std::min(k, score_CT.size(1)), 1);
  at::Tensor row = column + first_column;
  if (best.score_CK.defined()) {
    score = at::cat({best.score_CK, score}, 1);
    row = at::cat({best.row_CK, row}, 1);
    auto [kept, at_column] = at::topk(score, std::min(k, score.size(1)), 1);
    row = row.gather(1, at_column);
    score = kept;
  }
  best = {score, row};
}

// lists: of the chunk's images, [C, K].
void CopyOut(const Best& best, int64_t k, uint32_t* lists_CK) {
  const at::Tensor score_CK = best.score_CK.to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor row_CK = best.row_CK.to(at::kCPU).contiguous();
  std::vector<std::pair<float, uint32_t>> list;
  for (int64_t i = 0; i < score_CK.size(0); ++i) {
    list.clear();
    for (int64_t j = 0; j < score_CK.size(1); ++j) {
      const float score = score_CK.const_data_ptr<float>()[i * score_CK.size(1) + j];
      const auto row = static_cast<uint32_t>(row_CK.const_data_ptr<int64_t>()[i * row_CK.size(1) + j]);
      if (score > -kInfinity) list.emplace_back(-score, row);
    }
    std::sort(list.begin(), list.end());
    for (size_t j = 0; j < list.size(); ++j) lists_CK[i * k + static_cast<int64_t>(j)] = list[j].second;
  }
}

}  // namespace

std::vector<uint32_t> TopSimilar(const at::Tensor& images_ND, const at::Tensor& places_ND,
                                 std::span<const LatLon> places, const SimilaritySearch& search) {
  const int64_t n = images_ND.size(0), k = search.neighbours;
  GRATICULE_CHECK(images_ND.dim() == 2 && images_ND.sizes() == places_ND.sizes() && std::ssize(places) == n);
  GRATICULE_CHECK(k >= 1 && search.chunk >= 1 && search.tile >= 1 && search.min_km >= 0);
  GRATICULE_CHECK(n < kNoNeighbour, "rows are u32");
  const at::NoGradGuard no_grad;
  CheckFinite(images_ND, "images");
  CheckFinite(places_ND, "places");
  const Places where = OnDevice(places, images_ND.device());
  const double near = std::min(search.min_km / kEvaluationRadiusKm, std::numbers::pi);
  std::vector<uint32_t> lists_NK(static_cast<size_t>(n * k), kNoNeighbour);
  for (int64_t row = 0; row < n; row += search.chunk) {
    const int64_t rows = std::min(search.chunk, n - row);
    const at::Tensor image_CD = images_ND.narrow(0, row, rows), xyz_C3 = where.xyz_N3.narrow(0, row, rows);
    const at::Tensor missing_C1 = where.missing_N.narrow(0, row, rows).unsqueeze(1);
    const at::Tensor own_C1 =
        at::arange(row, row + rows, where.xyz_N3.options().dtype(at::kLong)).unsqueeze(1);
    Best best;
    for (int64_t column = 0; column < n; column += search.tile) {
      const int64_t columns = std::min(search.tile, n - column);
      at::Tensor left_out_CT = missing_C1.logical_or(where.missing_N.narrow(0, column, columns));
      left_out_CT.logical_or_(own_C1 == at::arange(column, column + columns, own_C1.options()));
      if (near > 0) {
        const at::Tensor cosine_CT = at::matmul(xyz_C3, where.xyz_N3.narrow(0, column, columns).t());
        left_out_CT.logical_or_(cosine_CT > std::cos(near));
      }
      at::Tensor score_CT = at::matmul(image_CD, places_ND.narrow(0, column, columns).t()).to(at::kFloat);
      Merge(best, score_CT.masked_fill_(left_out_CT, -kInfinity), column, k);
    }
    CopyOut(best, k, lists_NK.data() + row * k);
  }
  return lists_NK;
}

}  // namespace graticule
