#include <cuda_runtime.h>

#include "data/cuda/crop_resize.h"

namespace graticule {
namespace {

constexpr int kThreads = 256;
// Per crop: 64 x 256 threads are about a third of the pixels of 224 x 224.
constexpr int kBlocks = 64;

__global__ void Across(const CropTask* __restrict__ tasks) {
  const CropTask task = tasks[blockIdx.y];
  for (int p = blockIdx.x * kThreads + threadIdx.x; p < task.rows * task.width; p += kBlocks * kThreads)
    CropAcross(task, p);
}

__global__ void Down(const CropTask* __restrict__ tasks) {
  const CropTask task = tasks[blockIdx.y];
  for (int p = blockIdx.x * kThreads + threadIdx.x; p < task.height * task.width; p += kBlocks * kThreads)
    CropDown(task, p);
}

// Bytes far from each other: no decoder writes them by chance.
__device__ uint8_t MarkByte(int k) { return static_cast<uint8_t>(k * 89 + 90); }

__global__ void Mark(uint8_t* const* ends) {
  ends[blockIdx.x][static_cast<int>(threadIdx.x) - kMarkBytes] = MarkByte(threadIdx.x);
}

__global__ void CheckMarks(const uint8_t* const* ends, uint8_t* written) {
  const uint8_t byte = ends[blockIdx.x][static_cast<int>(threadIdx.x) - kMarkBytes];
  const bool gone = __syncthreads_or(byte != MarkByte(threadIdx.x));
  if (threadIdx.x == 0) written[blockIdx.x] = gone;
}

}  // namespace

int LaunchCrops(const CropTask* tasks, int count, void* stream) {
  if (count == 0) return cudaSuccess;
  const dim3 grid(kBlocks, static_cast<unsigned>(count));
  Across<<<grid, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(tasks);
  Down<<<grid, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(tasks);
  return cudaGetLastError();
}

int LaunchMark(uint8_t* const* ends, int count, void* stream) {
  if (count == 0) return cudaSuccess;
  Mark<<<count, kMarkBytes, 0, static_cast<cudaStream_t>(stream)>>>(ends);
  return cudaGetLastError();
}

int LaunchCheckMarks(const uint8_t* const* ends, int count, uint8_t* written, void* stream) {
  if (count == 0) return cudaSuccess;
  CheckMarks<<<count, kMarkBytes, 0, static_cast<cudaStream_t>(stream)>>>(ends, written);
  return cudaGetLastError();
}

}  // namespace graticule
