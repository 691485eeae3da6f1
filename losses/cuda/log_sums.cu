#include "losses/cuda/log_sums.h"

#include <cuda_runtime.h>

#include "losses/cuda/gradient_body.h"
#include "losses/cuda/log_sum_bodies.h"

namespace graticule {
namespace {

constexpr int kRowThreads = 256, kTileThreads = 256;
constexpr int kColumnThreads =
    32 * kColumnsAtOnce;  // 32 rows at a time, or few columns would leave a GPU idle

__global__ void __launch_bounds__(kRowThreads) RowSums(LogitBlock logits, Slopes slopes, float* sums) {
  __shared__ LogSum slots[kRowThreads];
  BlockTeam team;
  LogSumsOfRow(team, slots, logits, blockIdx.x, slopes, sums);
}

__global__ void __launch_bounds__(kColumnThreads) ColumnSums(LogitBlock logits, Slopes slopes, float* sums) {
  __shared__ LogSum slots[kColumnThreads];
  BlockTeam team;
  LogSumsOfColumns(team, slots, logits, blockIdx.x, slopes, sums);
}

__global__ void __launch_bounds__(kTileThreads)
    Gradients(LogitBlock logits, Slopes slopes, LineStatistics rows, LineStatistics columns) {
  BlockTeam team;
  GradientOfTile(team, logits, slopes, rows, columns, blockIdx.x, blockIdx.y);
}

unsigned Blocks(int64_t total, int64_t each) { return static_cast<unsigned>((total + each - 1) / each); }

}  // namespace

int LaunchLogSums(const LogitBlock& logits, bool of_columns, Slopes slopes, float* sums, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if ((of_columns ? logits.columns : logits.rows) == 0) return cudaSuccess;  // an empty grid is an error
  if (of_columns) {
    ColumnSums<<<Blocks(logits.columns, kColumnsAtOnce), kColumnThreads, 0, on>>>(logits, slopes, sums);
  } else {
    RowSums<<<Blocks(logits.rows, 1), kRowThreads, 0, on>>>(logits, slopes, sums);
  }
  return cudaGetLastError();
}

int LaunchGradient(const LogitBlock& logits, Slopes slopes, const LineStatistics& rows,
                   const LineStatistics& columns, void* stream) {
  if (logits.rows == 0 || logits.columns == 0) return cudaSuccess;
  const dim3 grid(Blocks(logits.rows, 1), Blocks(logits.columns, kTileColumns));
  Gradients<<<grid, kTileThreads, 0, static_cast<cudaStream_t>(stream)>>>(logits, slopes, rows, columns);
  return cudaGetLastError();
}

}  // namespace graticule
