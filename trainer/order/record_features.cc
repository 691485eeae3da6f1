#include "trainer/order/record_features.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/error.h"
#include "data/image/augment.h"
#include "data/loader/loader.h"
#include "trainer/cuda_module.h"
#include "trainer/step/micro_batch.h"

namespace graticule {
namespace {

constexpr int64_t kPlacesAtOnce = 8192;

// [B, D] of a batch.
at::Tensor EncodeImages(Recipe& recipe, const Batch& batch, const PredictOptions& options) {
  const StagedInput staged = StageInput(batch, options.device, options.cuda);
  at::Tensor rows = recipe.Encode(staged.input).at(0);
  if (batch.views > 1) rows = rows.unflatten(0, {-1, batch.views}).mean(1);
  return rows.to(at::kFloat);
}

at::Tensor EncodePlaces(Recipe& recipe, const Dataset& dataset, c10::Device device) {
  std::vector<LatLon> places(static_cast<size_t>(dataset.size()));
  at::Tensor known_N1 = at::zeros({dataset.size(), 1}, at::kFloat);
  for (int64_t record = 0; record < dataset.size(); ++record) {
    const LatLon place = dataset.place(record);
    if (!IsValid(place)) continue;
    places[record] = place;
    known_N1.mutable_data_ptr<float>()[record] = 1;
  }
  std::vector<at::Tensor> parts;
  for (int64_t first = 0; first < dataset.size(); first += kPlacesAtOnce) {
    const auto count = static_cast<size_t>(std::min(kPlacesAtOnce, dataset.size() - first));
    EncoderInput input;
    input.places = std::span<const LatLon>(places).subspan(static_cast<size_t>(first), count);
    parts.push_back(recipe.Encode(input).at(0).to(at::kFloat));
  }
  return at::cat(parts) * known_N1.to(device);
}

}  // namespace

RecordFeatures FeaturesOfShare(Recipe& recipe, std::shared_ptr<const Dataset> dataset,
                               const PredictOptions& options, int rank, int world_size) {
  const at::NoGradGuard no_grad;
  HostAllocator& memory = options.cuda != nullptr ? options.cuda->PinnedAllocator() : PageableAllocator();
  const auto loader = Loader::Create(dataset, InOrder(*dataset, options, rank, world_size), memory);
  RecordFeatures features;
  features.places_ND = EncodePlaces(recipe, *dataset, options.device);
  std::vector<at::Tensor> parts = {features.places_ND.narrow(0, 0, 0)};
  while (const Batch* batch = loader->Next()) {
    std::vector<int64_t> good;
    for (int64_t b = 0; b < batch->size; ++b) {
      if (batch->record[b] < 0) continue;  // padding, or an image that cannot be read
      good.push_back(b);
      features.records.push_back(batch->record[b]);
    }
    if (!good.empty()) {
      const at::Tensor rows_BD = EncodeImages(recipe, *batch, options);
      parts.push_back(rows_BD.index_select(0, at::tensor(good).to(rows_BD.device())));
    }
    loader->Release(batch);
  }
  features.images_CD = at::cat(parts);
  return features;
}

}  // namespace graticule
