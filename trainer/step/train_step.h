// One optimiser step over this rank's share of the global batch (docs/DETERMINISM.md).
//
// Order of things: the weights of the whole global batch are summed over the ranks on the control
// communicator while the first forward pass runs; each micro-batch is encoded, its terms scaled by 1 / global
// weight and sent backward; gradients are summed over ranks by GradSync; their norm says on the device
// whether the step is finite, and the optimiser skips it if not. Masks, accumulation and the number of ranks
// never change the objective.
//
// A recipe whose terms see the whole share at once is encoded first; in micro-batches that happens twice, the
// first time without a graph, then one by one with the gradients of their outputs (GradCache, Gao et al.
// 2021).
//
// Invariants: nothing is read from the device between forward and update. All ranks see the same norm bits
// and so take the same branch. Ownership: refers to its parts, which must outlive it. One thread. Failure:
// Error(kPeer) from the communicators; Error(kUsage) for a recipe that cannot be accumulated.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/comm/communicator.h"
#include "data/batch.h"
#include "trainer/optim/optimizer.h"
#include "trainer/optim/weight_average.h"
#include "trainer/recipe.h"
#include "trainer/sync/grad_sync.h"

namespace graticule {

class CudaModule;

struct StepOptions {
  int64_t micro_batch = 0;  // rows per forward pass; divides the share; 0: the whole share
  double clip_norm = 0;
  c10::Device device = c10::kCPU;
  CudaModule* cuda = nullptr;        // set when device is a GPU
  WeightAverage* average = nullptr;  // updated after the weights; null: none
};

// What a rank asks for and reports with this step; after the step: what any rank asked for, and the sum of
// the reports.
struct StepRequest {
  bool stop = false;        // checkpoint, then leave
  bool save = false;        // checkpoint
  int64_t bad_records = 0;  // that this rank's loader has met so far
};

// The numbers of one step, the same on all ranks.
struct StepOutcome {
  double loss = 0;                      // objective over the global batch
  std::map<std::string, double> terms;  // each term's mean, before its weight in the objective
  double grad_norm = 0;                 // before clipping
  bool finite = true;                   // false: the update was skipped
  // Which record stood at which position of the global batch: the sum over rows of CRC-32C(position, record).
  uint64_t samples_digest = 0;
};

class TrainStep {
 public:
  TrainStep(Recipe& recipe, Optimizer& optimizer, GradSync& sync, Communicator& control, Communicator& data,
            const StepOptions& options);

  // share: this rank's rows. first_sample: samples of the run before this step. request: in and out. Returns
  // without waiting for the device; the outcome is read later.
  void RunCollective(const Batch& share, int64_t first_sample, double lr, StepRequest& request);
  // Blocks until the device has copied the images of the last share: its buffers may then be filled again.
  void WaitForImages();

  // Outcome of the oldest step not read yet. Waits for it, not for later ones. Nullopt when there is none.
  std::optional<StepOutcome> ReadOutcome();
  size_t unread() const { return pending_.size(); }

 private:
  struct Objective {  // one entry per term, in the order of names
    std::vector<std::string> names;
    std::vector<double> weights, scales;
    at::Tensor sums;  // fp32 [terms], this rank's, on the device
    uint64_t samples_digest = 0;
  };
  struct Pending {
    Objective objective;
    at::Tensor host;  // [terms..., norm]
    std::optional<c10::Event> ready;
  };
  struct Shared {  // what is summed over ranks while the first forward pass runs
    WorkPtr summed;
    size_t weights = 0;
  };
  Objective AccumulateCollective(const Batch& share, int64_t first_sample, StepRequest& request);
  void Await(const Shared& sums, Objective& objective, StepRequest& request);
  at::Tensor Scaled(const std::vector<LossTerm>& terms, Objective& objective);
  void WholeShareCollective(const Batch& share, int64_t first_sample, int64_t micro, const Shared& sums,
                            Objective& objective, StepRequest& request);
  std::vector<at::Tensor> EncodeImages(const Batch& part);

  Recipe& recipe_;
  Optimizer& optimizer_;
  GradSync& sync_;
  Communicator& control_;
  Communicator& data_;
  const StepOptions options_;
  // Lives as long as the process: an exception may leave a reduction that still writes into it.
  std::vector<double>& shared_ = *new std::vector<double>;
  std::vector<Pending> pending_;
  std::vector<WorkPtr> copies_;  // of the last share, one per micro-batch
};

}  // namespace graticule
