// What one row of logits costs: an anchor, its positive, and its negatives (docs/CONTRASTIVE.md).
//
// The engine (contrastive_loss.h) shows whole rows to Forward, block by block, and keeps of each row only its
// loss and a few statistics. From these, Gradient gives the derivatives over any piece of the row's columns,
// also on another rank. All arithmetic is in log space, in the logits' own type (fp32 or fp64), on their
// device. Pure; thread-safe.
//
// Legend: R rows of the block, C columns, K statistics. l logits, s their scale, n a row's negatives.
// Sources: infonce van den Oord et al. 2018; dcl arXiv 2007.00224 eq. 8; hcl arXiv 2010.04592 section 3;
// siglip arXiv 2303.15343; triplet Schroff et al. 2015.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "losses/contrastive/contrastive_config.h"

namespace graticule {

// What is known of pairs changes how they count (pair_curve.h). No gradient goes through it.
struct PairEffect {
  at::Tensor log_weights_RC;          // u, added to a negative's exponent; undefined: 0
  at::Tensor hardness_RC;             // multiplies beta; undefined: 1
  at::Tensor factors_RC, offsets_RC;  // a negative's logit l becomes factor l + offset; undefined: 1, 0
};

// A block of rows, or a piece of their columns.
struct RowBlock {
  at::Tensor negatives_RC;  // logits; -inf where a column is no negative of the row. May be overwritten
  PairEffect pairs;
  at::Tensor closeness_RC;   // fp64 cosine of the angle between two places; where needs_closeness()
  at::Tensor scale;          // s, 0-d, without graph
  int64_t first_column = 0;  // of the piece, in the whole row
  // Of whole rows only.
  at::Tensor positive_R;  // the positive's logit
  at::Tensor count_R;     // n
  at::Tensor draws_R2;    // fp64, uniform in [0, 1); where needs_closeness()
};

// The rows of the other direction: the first columns of a piece.
struct ColumnShare {
  at::Tensor statistics_CK;
  double share = 0;
};

struct RowLoss {
  at::Tensor loss_R;
  at::Tensor positive_gradient_R;  // d loss / d logit of the positive
  at::Tensor statistics_RK;
  at::Tensor floored_R;  // bool: the bound on the negatives held; undefined: there is none
  // Importance of the row's hardest negative, in units of an average one; undefined: all are alike.
  at::Tensor largest_weight_R;
};

class RowObjective {
 public:
  virtual ~RowObjective() = default;
  virtual RowLoss Forward(const RowBlock& rows) const = 0;
  // d loss / d logit of the negatives [R, C], 0 elsewhere; may take the piece's own memory.
  virtual at::Tensor Gradient(RowBlock& piece, const at::Tensor& statistics_RK) const = 0;

  // Objectives of log-sum-exps, which may be summed piece by piece: so both directions can share their
  // logits.
  virtual bool sums_merge() const { return false; }
  // Along rows (dim 1) or columns (0) -> [R, 2] or [C, 2]; those of two pieces merge by logaddexp.
  virtual at::Tensor LogSums(const RowBlock& piece, int64_t dim) const;
  // Forward of rows whose sums are known; reads no logits of negatives.
  virtual RowLoss FromLogSums(const RowBlock& rows, const at::Tensor& sums_R2) const;
  // share * Gradient by rows + columns.share * Gradient by columns.
  virtual at::Tensor GradientBothWays(RowBlock& piece, const at::Tensor& statistics_RK, double share,
                                      const ColumnShare& columns) const;

  virtual bool needs_closeness() const { return false; }
  virtual bool uses_scale() const { return true; }   // false: logits are plain cosines
  virtual bool has_bias() const { return false; }    // a learned offset of all logits
  virtual bool needs_fp64() const { return false; }  // amplifies the rounding of logits
};

// kind: one of ContrastiveKinds().
std::unique_ptr<RowObjective> MakeRowObjective(const std::string& kind, const ContrastiveConfig& config);

}  // namespace graticule
