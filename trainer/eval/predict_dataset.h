// Predictions for every record of a dataset, shared out over the ranks without padded duplicates.
//
// Invariant: each record is predicted exactly once, whatever the number of ranks; rows come back in dataset
// order. The model runs without a graph and with the centre crop of evaluation. One thread.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/comm/communicator.h"
#include "data/data_config.h"
#include "data/dataset.h"
#include "data/embedding/embedding_store.h"
#include "data/loader/loader.h"
#include "trainer/eval/metrics.h"
#include "trainer/recipe.h"

namespace graticule {

class CudaModule;

struct PredictOptions {
  AugmentOptions augment;                            // of evaluation; logits of ten crops are averaged
  std::shared_ptr<const EmbeddingStore> embeddings;  // rows to be used instead of images
  int64_t rank_batch = 32;                           // images per rank and forward pass
  int64_t samples = 0;                               // the first n records; 0: all
  int threads = 0;                                   // decoding; 0: CPUs of the affinity mask
  c10::Device device = c10::kCPU;
  CudaModule* cuda = nullptr;  // set when device is a GPU
};

struct RecordPrediction {
  int64_t record = -1;
  Prediction best;
};

// How a loader serves every record once, as evaluation sees it.
LoaderOptions InOrder(const Dataset& dataset, const PredictOptions& options, int rank, int world_size);

// Collective. Rank 0 gets all rows in dataset order, the others none. Records whose image cannot be read have
// no row; `unreadable` counts them (all ranks).
std::vector<RecordPrediction> PredictDatasetCollective(Recipe& recipe, std::shared_ptr<const Dataset> dataset,
                                                       const PredictOptions& options, Communicator& control,
                                                       int64_t* unreadable = nullptr);

// The outputs of a random part of a dataset, of all of it where it holds no more than `count` records; those
// without a place or a readable image are left out.
struct EncodedSample {
  at::Tensor rows_ND;  // fp32, on the model's device
  std::vector<int64_t> records;
  std::vector<LatLon> places;
};
EncodedSample EncodeSample(Recipe& recipe, std::shared_ptr<const Dataset> dataset,
                           const PredictOptions& options, int64_t count);

// With the truth and the country of each record, for reports.
std::vector<EvalRow> ToEvalRows(const Dataset& dataset, const std::vector<RecordPrediction>& predictions);

}  // namespace graticule
