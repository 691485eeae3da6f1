// What a contrastive loss asks of a device, on plain memory: log-sums of logits, their gradient, masks.
//
// losses/ links no CUDA. Whoever opens the CUDA module sets contrastive_kernels once, before the first loss;
// where it is null the library's operators serve. Memory is the device's and the caller's; calls queue on the
// stream that ATen uses in the calling thread and return at once. From any thread. Failure: Error(kBug)
// naming the CUDA call.
//
// Legend: R rows, C columns, P <= C columns with statistics of their own, the first ones, K keys.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace graticule {

// Exponents steep * l and flat * l, steep >= flat >= 0. flat < 0: only the first is needed.
struct Slopes {
  float steep = 1, flat = -1;
};

// The logit of a column that is no negative of the row: weighs exactly 0.
inline constexpr float kNoLogit = -std::numeric_limits<float>::infinity();

// values[row * stride + column].
struct LogitBlock {
  float* values = nullptr;
  int64_t rows = 0, columns = 0, stride = 0;
};

// A, E and kappa (row_objective.cc) of the lines of one direction, and the direction's share.
struct LineStatistics {
  const float* values = nullptr;  // [count, 3]
  int64_t count = 0;
  float share = 0;
};

// A PairPlaces (pair_places.h); what is null masks nothing.
struct MaskItems {
  const double* unit_N3 = nullptr;
  const double* limit_N = nullptr;  // of columns
  const int64_t* keys_NK = nullptr;
  const int64_t* sample_N = nullptr;
  const bool* valid_N = nullptr;
};

struct Mask {
  MaskItems rows, columns;
  int64_t keys = 0;                            // K, at most 3
  const int64_t* positive_R = nullptr;         // columns that stay; null: none
  int32_t *out_R = nullptr, *out_C = nullptr;  // how many are left out is added here; null: nobody asks
};

class ContrastiveKernels {
 public:
  virtual ~ContrastiveKernels() = default;
  // Whose memory they read.
  virtual bool on_cuda() const = 0;
  // sums: [R, 2], or [C, 2] of columns: log sum e^(steep l) and log sum e^(flat l), or the first one twice.
  virtual void LogSums(const LogitBlock& logits, bool of_columns, Slopes slopes, float* sums) const = 0;
  // l becomes the sum over both directions of share * kappa (steep e^(steep l - A) - flat e^(flat l - E)), or
  // of share * kappa e^(steep l - A) without flat. columns.count: P, may be 0.
  virtual void Gradient(const LogitBlock& logits, Slopes slopes, const LineStatistics& rows,
                        const LineStatistics& columns) const = 0;
  // l becomes -inf where places are nearer than the column's limit, a key that is not 0 or a sample is
  // shared, or either item is not valid.
  virtual void LeaveOut(const LogitBlock& logits, const Mask& mask) const = 0;
};

inline std::atomic<const ContrastiveKernels*> contrastive_kernels = nullptr;

}  // namespace graticule
