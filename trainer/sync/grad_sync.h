// Gradients born in flat fp32 buckets, summed over all ranks while backward still runs (docs/COMM.md).
//
// One flat buffer holds every gradient: reverse parameter order, each parameter at a 256-byte boundary,
// padding zero. A parameter's grad() is a view into it, so backward adds straight into the bucket, a bucket
// is reduced as soon as its last parameter is ready, and the norm is one pass over the buffer. Buckets are
// issued in index order on all ranks. The sum is not divided: the step loop has scaled each loss term by 1 /
// global weight already.
//
// Ownership: keeps the parameters, their accumulator nodes and the buffer alive; the communicators must
// outlive it. The optimiser may read grad() or flat() between Finish and ZeroGrads; nobody else may replace
// grad(). Thread rule: construct, ZeroGrads, BeginBackward and Finish on the thread that runs backward.
// Parameters that are not fp32 get their gradient added to their part of the buffer and have no grad() of
// their own. Failure: Error(kPeer) when a rank is lost; Error(kBug) when ranks hold different parameters, or
// when the first step leaves a trainable parameter without a gradient on any rank (all ranks throw, naming
// rank and parameters).
//
//   GradSync sync(parameters, world.data, world.control, config.comm);
//   sync.ZeroGrads();
//   for (int m = 0; m < accumulation; ++m) {
//     sync.BeginBackward(m + 1 == accumulation);
//     Loss(m).backward();
//   }
//   sync.FinishCollective();
//   GradientNorm norm = ComputeGradientNorm({sync.flat()});   // device scalars, the same bits on all ranks
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/comm/communicator.h"
#include "models/vision_tower.h"
#include "trainer/comm/comm_config.h"

namespace graticule {

class CudaModule;

// Host seconds of the last step. 1 - exposed_s / span_s is the share of the reduction that backward has
// hidden.
struct SyncStats {
  double span_s = 0;     // first bucket issued to last bucket done
  double exposed_s = 0;  // time FinishCollective waited
  int64_t bytes = 0;     // payload of this rank
  int buckets = 0;
};

class GradSync {
 public:
  struct Bucket {
    int64_t begin = 0, end = 0;      // elements of the flat buffer
    std::vector<size_t> parameters;  // indices into the constructor's list, in buffer order
  };

  // Collective: compares the parameter lists of all ranks. Parameters must be leaves that require grad.
  // cuda: World::cuda, null on a CPU.
  GradSync(std::vector<NamedTensor> parameters, Communicator& data, Communicator& control,
           const CommConfig& config, CudaModule* cuda = nullptr);
  ~GradSync();
  GradSync(const GradSync&) = delete;
  GradSync& operator=(const GradSync&) = delete;

  void ZeroGrads();
  // Before each backward; only the last one of a step reduces.
  void BeginBackward(bool last);
  // Collective. Returns when every bucket holds the sum over ranks (on a GPU: when the current stream will
  // see it).
  void FinishCollective();

  const at::Tensor& flat() const;
  const std::vector<Bucket>& buckets() const;
  // The parameter's part of the flat buffer, in the parameter's shape, fp32.
  at::Tensor GradOf(size_t parameter) const;
  const SyncStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace graticule
