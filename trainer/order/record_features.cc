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

LoaderOptions Reading(const Dataset& dataset, const PredictOptions& options, const Communicator& control) {
  LoaderOptions loading;
  loading.rank = control.rank();
  loading.world_size = control.world_size();
  loading.shuffle = false;
  loading.drop_last = false;
  loading.threads = options.threads;
  loading.augment = options.augment;
  loading.embeddings = options.embeddings;
  if (options.embeddings != nullptr) loading.views = options.embeddings->plan().views;
  loading.global_batch = std::max<int64_t>(1, options.rank_batch / loading.views) * control.world_size();
  loading.max_bad = dataset.size();
  return loading;
}

// [rows, D] of a batch, on the CPU.
at::Tensor EncodeImages(Recipe& recipe, const Batch& batch, const PredictOptions& options) {
  const StagedInput staged = StageInput(batch, options.device, options.cuda);
  at::Tensor rows = recipe.Encode(staged.input).at(0);
  if (batch.views > 1) rows = rows.unflatten(0, {-1, batch.views}).mean(1);
  return rows.to(at::kCPU, at::kFloat).contiguous();
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

RecordFeatures RecordFeaturesCollective(Recipe& recipe, std::shared_ptr<const Dataset> dataset,
                                        const PredictOptions& options, Communicator& control) {
  const at::NoGradGuard no_grad;
  HostAllocator& memory = options.cuda != nullptr ? options.cuda->PinnedAllocator() : PageableAllocator();
  const auto loader = Loader::Create(dataset, Reading(*dataset, options, control), memory);
  const int64_t ranks = control.world_size();
  at::Tensor images_ND;
  int64_t first = 0;  // record of the batch
  while (const Batch* batch = loader->Next()) {
    at::Tensor rows_BD = EncodeImages(recipe, *batch, options);
    for (int64_t b = 0; b < batch->size; ++b)
      if (batch->record[b] < 0) rows_BD[b].zero_();
    const int64_t global = batch->size * ranks;
    loader->Release(batch);
    at::Tensor all_GD = at::empty({global, rows_BD.size(1)}, at::kFloat);
    control
        .AllGather(rows_BD.const_data_ptr(), all_GD.mutable_data_ptr(), static_cast<size_t>(rows_BD.numel()),
                   DType::kF32)
        ->Wait();
    if (control.rank() == 0) {
      if (!images_ND.defined()) images_ND = at::empty({dataset->size(), rows_BD.size(1)}, at::kFloat);
      const int64_t count = std::min(global, dataset->size() - first);
      images_ND.narrow(0, first, count).copy_(all_GD.narrow(0, 0, count));
    }
    first += global;
  }
  if (control.rank() != 0) return {};
  return {images_ND.to(options.device), EncodePlaces(recipe, *dataset, options.device)};
}

}  // namespace graticule
