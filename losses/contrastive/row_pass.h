// One direction of a contrastive loss on this rank: its own rows against all columns, then its own columns
// against the rows of other ranks. Part of contrastive_loss.cc, whose legend holds; R anchors, C columns.
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
  MaskConfig mask;
  at::Tensor scale;  // 0-d
  at::Tensor bias;   // 0-d, undefined: none
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

  double share = 1;       // of this direction in the objective
  at::Tensor anchors_RD;  // unit rows of this rank
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
  int64_t RowsPerBlock(int64_t width) const;
  void OwnBlock(int64_t begin, int64_t count, at::Tensor buffer);
  void AddGradients(int64_t begin, const at::Tensor& scaled, const at::Tensor& gradient);

  const RowPassShared& shared_;
  at::Tensor sum_, statistics_RK_;
  at::Tensor correct_, positive_, left_out_, floored_;
};

}  // namespace graticule
