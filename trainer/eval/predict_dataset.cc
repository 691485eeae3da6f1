#include "trainer/eval/predict_dataset.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "data/image/augment.h"
#include "data/loader/loader.h"
#include "trainer/cuda_module.h"
#include "trainer/step/micro_batch.h"

namespace graticule {
namespace {

// What travels between ranks; same machine type on all of them.
struct Row {
  int64_t record, cell;
  double lat_deg, lon_deg, probability, near_probability;
};

// [B * V, ...] -> [B, ...]: logits of several crops of an image are averaged.
std::vector<at::Tensor> MeanOverViews(std::vector<at::Tensor> outputs, int64_t views) {
  if (views == 1) return outputs;
  for (at::Tensor& output : outputs) output = output.unflatten(0, {-1, views}).mean(1);
  return outputs;
}

std::vector<Row> PredictShare(Recipe& recipe, Loader& loader, const PredictOptions& options) {
  const torch::autograd::AutoGradMode no_grad(false);
  std::vector<Row> rows;
  while (const Batch* batch = loader.Next()) {
    const bool any =
        std::any_of(batch->position.begin(), batch->position.end(), [](int64_t p) { return p >= 0; });
    if (any) {
      const StagedInput staged = StageInput(*batch, options.device, options.cuda);
      const auto outputs = MeanOverViews(recipe.Encode(staged.input), batch->views);
      const auto places = recipe.Predict(outputs, 1, kNearKm);  // waits for the device
      for (int64_t b = 0; b < batch->size; ++b) {
        if (batch->position[b] < 0) continue;  // padding, or an image that cannot be read
        const Prediction& best = places[b].at(0);
        rows.push_back({batch->record[b], best.cell, best.place.lat_deg, best.place.lon_deg, best.probability,
                        best.near_probability});
      }
    }
    loader.Release(batch);
  }
  return rows;
}

}  // namespace

LoaderOptions InOrder(const Dataset& dataset, const PredictOptions& options, int rank, int world_size) {
  LoaderOptions loading;
  loading.rank = rank;
  loading.world_size = world_size;
  loading.shuffle = false;
  loading.drop_last = false;
  loading.threads = options.threads;
  loading.augment = options.augment;
  loading.views = options.augment.kind == "ten_crop" ? kTenCrops : 1;
  loading.embeddings = options.embeddings;
  if (options.embeddings != nullptr) loading.views = options.embeddings->plan().views;
  // A pass holds so many images, whatever record they belong to.
  loading.global_batch = std::max<int64_t>(1, options.rank_batch / loading.views) * world_size;
  loading.max_bad = dataset.size();  // they are counted, and an evaluation is of use without them
  return loading;
}

std::vector<RecordPrediction> PredictDatasetCollective(Recipe& recipe, std::shared_ptr<const Dataset> dataset,
                                                       const PredictOptions& options, Communicator& control,
                                                       int64_t* unreadable) {
  const int64_t records = options.samples > 0 ? std::min(options.samples, dataset->size()) : dataset->size();
  LoaderOptions loading = InOrder(*dataset, options, control.rank(), control.world_size());
  loading.epoch_samples = records;
  HostAllocator& memory = options.cuda != nullptr ? options.cuda->PinnedAllocator() : PageableAllocator();
  const auto loader = Loader::Create(dataset, loading, memory);
  const std::vector<Row> mine = PredictShare(recipe, *loader, options);

  const std::vector<std::string> all = control.GatherStrings(
      std::string(reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(Row)));
  const double predicted = control.SumScalar(static_cast<double>(mine.size()));
  if (unreadable != nullptr) *unreadable = records - static_cast<int64_t>(predicted);
  std::vector<RecordPrediction> result;
  if (control.rank() != 0) return result;
  for (const std::string& bytes : all) {
    GRATICULE_CHECK(bytes.size() % sizeof(Row) == 0);
    for (size_t at = 0; at < bytes.size(); at += sizeof(Row)) {
      Row row;
      std::memcpy(&row, bytes.data() + at, sizeof(Row));
      result.push_back(
          {row.record, {{row.lat_deg, row.lon_deg}, row.cell, row.probability, row.near_probability}});
    }
  }
  std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.record < b.record; });
  return result;
}

EncodedSample EncodeSample(Recipe& recipe, std::shared_ptr<const Dataset> dataset,
                           const PredictOptions& options, int64_t count) {
  const torch::autograd::AutoGradMode no_grad(false);
  LoaderOptions loading = InOrder(*dataset, options, 0, 1);
  loading.shuffle = true;
  loading.epoch_samples = std::min(count, dataset->size());
  HostAllocator& memory = options.cuda != nullptr ? options.cuda->PinnedAllocator() : PageableAllocator();
  const auto loader = Loader::Create(dataset, loading, memory);
  EncodedSample sample;
  std::vector<at::Tensor> parts;
  while (const Batch* batch = loader->Next()) {
    const StagedInput staged = StageInput(*batch, options.device, options.cuda);
    const at::Tensor rows = MeanOverViews(recipe.Encode(staged.input), batch->views).at(0);
    std::vector<int64_t> known;
    for (int64_t b = 0; b < batch->size; ++b) {
      if (!IsValid(batch->places[b])) continue;  // unknown, padding, or an image that cannot be read
      known.push_back(b);
      sample.records.push_back(batch->record[b]);
      sample.places.push_back(batch->places[b]);
    }
    parts.push_back(rows.index_select(0, at::tensor(known, at::kLong).to(rows.device())));
    loader->Release(batch);
  }
  sample.rows_ND = at::cat(parts);
  return sample;
}

std::vector<EvalRow> ToEvalRows(const Dataset& dataset, const std::vector<RecordPrediction>& predictions) {
  std::vector<EvalRow> rows;
  rows.reserve(predictions.size());
  for (const RecordPrediction& p : predictions) {
    RecordMeta meta = dataset.meta(p.record);
    rows.push_back({p.record, dataset.id(p.record), meta.place, p.best.place, p.best.cell, p.best.probability,
                    p.best.near_probability, std::move(meta.country)});
  }
  return rows;
}

}  // namespace graticule
