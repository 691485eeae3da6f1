// Kernel bodies are written for a Team of threads, so that a CPU can run them too: a CUDA block in the
// module, some std::threads in the unit tests (tests/gpu/host_kernels.h).
//
//   int Index(), Size();         this thread and how many there are
//   void Barrier();              all threads of the team
//   int Count(bool flag);        how many of them say so; a barrier as well
//   void Add(int32_t* to, int);  atomically, beside other teams
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define GRATICULE_BOTH __host__ __device__ inline
#else
#define GRATICULE_BOTH inline
#endif

#ifdef __CUDACC__
namespace graticule {

struct BlockTeam {
  __device__ int Index() const { return static_cast<int>(threadIdx.x); }
  __device__ int Size() const { return static_cast<int>(blockDim.x); }
  __device__ void Barrier() const { __syncthreads(); }
  __device__ int Count(bool flag) const { return __syncthreads_count(flag); }
  __device__ void Add(int32_t* to, int count) const { atomicAdd(to, count); }
};

}  // namespace graticule
#endif
