#include "losses/cuda/leave_out.h"

#include <cuda_runtime.h>

#include "losses/cuda/leave_out_body.h"

namespace graticule {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) LeaveOut(LogitBlock logits, Mask mask, int64_t column_tiles) {
  BlockTeam team;
  LeaveOutTile(team, logits, mask, blockIdx.x % column_tiles, blockIdx.x / column_tiles);
}

}  // namespace

int LaunchLeaveOut(const LogitBlock& logits, const Mask& mask, void* stream) {
  const int64_t column_tiles = (logits.columns + kThreads - 1) / kThreads;
  const int64_t tiles = column_tiles * ((logits.rows + kMaskRows - 1) / kMaskRows);
  if (tiles == 0) return cudaSuccess;  // an empty grid is an error
  LeaveOut<<<static_cast<unsigned>(tiles), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(logits, mask,
                                                                                             column_tiles);
  return cudaGetLastError();
}

}  // namespace graticule
