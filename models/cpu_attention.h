// Attention of short sequences on the CPU: softmax(Q K^T / sqrt(d)) V per image and head, forward and
// backward.
//
// Takes the packed product qkv_BT3W as it comes and returns its gradient packed the same way: no tensor is
// split, transposed or gathered in memory. A score matrix [T, T] lives in a thread's cache; kept for backward
// are the input and one log-sum-exp per row. fp32 inside (bf16 is converted), head width a multiple of 16,
// accumulation in fp32. Repeats exactly, whatever the number of threads: each image and head is one task.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace graticule {

bool CpuAttentionApplies(const at::Tensor& qkv_BT3W, int64_t heads);

// [B, T, W], heads side by side; with graph.
at::Tensor CpuAttention(const at::Tensor& qkv_BT3W, int64_t heads);

}  // namespace graticule
