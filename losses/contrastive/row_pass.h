// One direction of a contrastive loss on this rank: its own rows against all columns, then its own columns
// against the rows of other ranks. Part of contrastive_loss.cc, whose legend holds; R anchors, C columns.
//
// With one rank and one view the other direction can come along: its logits are the same. Statistics of rows
// and columns are then taken in a first sweep over the blocks, gradients in a second one, backwards from the
// block that is still there: four matrix products instead of six.
//
// Fill the fields, RunOwnRows, then with several ranks RunForeignRows with what was gathered. Gradients are
// added to the tensors given; an undefined one is not wanted. Memory: one block of logits and what the
// objective needs beside it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "losses/contrastive/contrastive_loss.h"

namespace graticule {

struct RowPassShared {
  const RowObjective* objective = nullptr;
  const PairCurve* pair = nullptr;  // may be null
  at::Tensor scale;                 // 0-d
  at::Tensor bias;                  // 0-d, undefined: none
  at::Tensor log_scale_gradient, bias_gradient;
  bool wants_gradients = false;
  int64_t block_values = 0;
};

class RowPass {
 public:
  struct OwnColumns {
    int64_t begin = 0, count = 0;
    at::Tensor gradient;  // [count, D]
  };

  explicit RowPass(const RowPassShared& shared) : shared_(shared) {}

  double share = 1;          // of this direction in the objective
  double reverse_share = 0;  // of the other one, where it comes along: row i and column i are one sample
  at::Tensor anchors_RD;     // unit rows of this rank
  at::Tensor anchors_gradient;
  PairPlaces rows;
  at::Tensor positives_R;  // int64, columns
  at::Tensor columns_CD;
  PairPlaces columns;
  int64_t batch_columns = 0;  // the first so many are of the batch, the rest are candidates
  std::vector<OwnColumns> own;
  at::Tensor extra_RMD;  // columns of single rows; undefined: none
  PairPlaces extra;
  at::Tensor extra_gradient;
  at::Tensor draws_R2;

  void RunOwnRows();
  // all_*: of all ranks, in rank order; the block of `rank` is passed over.
  void RunForeignRows(const at::Tensor& all_anchors, const PairPlaces& all_rows,
                      const at::Tensor& all_statistics, int64_t rank);

  const at::Tensor& sum() const { return sum_; }  // 0-d fp64, share included
  const at::Tensor& statistics_RK() const { return statistics_RK_; }
  ContrastiveSums observed() const;  // without `sum`

 private:
  // distance_RC: of the features; undefined where nobody asks.
  void WeighPairs(RowBlock& block, const at::Tensor& distance_RC) const;
  at::Tensor FeatureDistanceOf(const PairPlaces& here, const PairPlaces& there) const;
  struct Block {
    int64_t begin = 0, count = 0;
    at::Tensor scaled, positive_column, valid;
    at::Tensor first_R;  // bool: the positive is the largest of the batch
    // How many columns are left out of each row, and where the other direction comes along, how many rows of
    // each column; undefined: none.
    at::Tensor left_out_R, left_out_C;
    RowBlock rows;
  };

  int64_t RowsPerBlock(int64_t width) const;
  Block Show(int64_t begin, at::Tensor logits) const;
  void Observe(const Block& block);
  void ObserveReverse(const Block& block);
  void FinishReverse();
  void Learn(Block& block);
  void AddGradients(int64_t begin, const at::Tensor& scaled, const at::Tensor& gradient, double share);

  const RowPassShared& shared_;
  at::Tensor sum_, statistics_RK_, positive_gradient_R_;
  // Of the other direction.
  RowBlock reverse_rows_;
  at::Tensor reverse_sums_, reverse_statistics_;
  at::Tensor correct_, positive_, left_out_, floored_, largest_weight_;
};

}  // namespace graticule
