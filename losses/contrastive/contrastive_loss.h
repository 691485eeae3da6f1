// Contrastive objectives over the global batch, exact at any number of ranks, in memory of O(rows of this
// rank) beyond inputs and gathered embeddings (docs/CONTRASTIVE.md).
//
// Rows are this rank's images (and, for gps_to_image, places); columns are the places of the global batch and
// all candidates. Embeddings are gathered in forward; blocks of whole rows go through a RowObjective, which
// gives loss and gradient at once; the rows' statistics are gathered, and the gradient of this rank's own
// columns from the rows of other ranks follows from them. So backward only scales what is there: it holds no
// collective, and gradients summed over ranks are those of one process with the whole batch.
//
// Legend: W ranks, B samples of this rank, V views, I = B * V image rows, S candidates of this rank's slice,
// M further negatives of each sample, D width. Rank r holds the global samples [r * B, (r + 1) * B), and
// candidates [r * S, (r + 1) * S). Not thread-safe. Failure: Error(kPeer) from the communicator.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/comm/communicator.h"
#include "geo/latlon.h"
#include "losses/contrastive/contrastive_config.h"
#include "losses/contrastive/pair_curve.h"
#include "losses/contrastive/pair_places.h"
#include "losses/contrastive/row_objective.h"

namespace graticule {

// Unit rows, fp32 or fp64, on one device.
struct ContrastiveRows {
  at::Tensor images_ID, places_BD;
  at::Tensor candidates_SD;  // undefined: none
  at::Tensor negatives_BMD;  // undefined: none
  at::Tensor log_scale;      // 0-d; undefined: the logits are cosines (triplet)
  at::Tensor bias;           // 0-d; siglip
};

// Where they are: clean coordinates (no noise), NaN where a sample has no place or a candidate is padding.
struct ContrastivePlaces {
  std::vector<LatLon> batch;             // [W * B], the same on all ranks
  std::vector<PairKeys> batch_keys;      // [W * B] or empty
  std::vector<LatLon> candidates;        // [W * S], the same on all ranks
  std::vector<PairKeys> candidate_keys;  // [W * S] or empty
  std::vector<LatLon> negatives;         // [B * M], this rank's
  std::vector<double> draws;             // [I * 2] in [0, 1), where ContrastiveLoss::needs_draws()
  std::vector<double> candidate_km;      // [W * S] or empty: rows nearer than this leave the candidate out
  // Where ContrastiveLoss::needs_features(), the same on all ranks: unit rows of the frozen tower's output
  // for all images [W * I, F], and for the first so many candidates; zeros: the candidate has no image.
  at::Tensor image_features, candidate_features;
};

// Sums over this rank's rows of images; `sum` carries the graph and includes both directions with their
// shares. Divide by the number of image rows with a place in the global batch.
struct ContrastiveSums {
  at::Tensor sum;
  at::Tensor correct;         // rows whose positive beats all other places of the batch
  at::Tensor positive;        // logits of positives
  at::Tensor left_out;        // shares of the columns that are masked
  at::Tensor floored;         // rows at the bound (dcl, hcl)
  at::Tensor largest_weight;  // of each row's negatives, an average one being 1 (weighted_*, hcl)
};

class ContrastiveLoss {
 public:
  // block_values: logits in memory at a time; 0: what suits the device. curve: for config.pair.
  ContrastiveLoss(const std::string& kind, const ContrastiveConfig& config, int64_t block_values = 0,
                  const std::optional<VariogramCurve>& curve = std::nullopt);

  // Collective. stream: of the device, null on a CPU.
  ContrastiveSums SumCollective(const ContrastiveRows& rows, const ContrastivePlaces& places,
                                Communicator& comm, StreamHandle stream = nullptr) const;

  bool needs_draws() const { return objective_->needs_closeness(); }
  bool needs_features() const { return config_.pair.NeedsFeatures(); }
  bool uses_scale() const { return objective_->uses_scale(); }
  bool has_bias() const { return objective_->has_bias(); }

 private:
  const ContrastiveConfig config_;
  const int64_t block_values_;
  std::shared_ptr<const RowObjective> objective_;
  std::shared_ptr<const PairCurve> pair_;  // may be null
};

}  // namespace graticule
