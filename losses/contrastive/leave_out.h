// Masks applied to logits by the kernels of their device: what LeftOut (pair_places.h) says, but in place, so
// that neither distances nor a mask are ever kept for a block.
//
// Legend: R rows, C columns. Thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include "losses/contrastive/pair_places.h"

namespace graticule {

struct LeftOutCounts {
  at::Tensor rows_R, columns_C;  // int32; undefined: nobody asked, or no pair can be left out
};

// There are kernels for these logits, and no closeness is at hand that would make them idle.
bool LeavesOutInPlace(const at::Tensor& logits_RC, const at::Tensor& closeness_RC);

// Counts are of rows whose positives (int64 [R] or [R, 1], columns that stay) are given. both_ways: counts of
// columns too, for which rows that are not valid are no negatives.
LeftOutCounts LeaveOut(const at::Tensor& logits_RC, const PairPlaces& rows, const PairPlaces& columns,
                       const at::Tensor& positive_R = {}, bool both_ways = false);

}  // namespace graticule
