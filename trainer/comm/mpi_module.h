// The C seam between graticule and libgraticule_mpi.so. The module is the only thing that links MPI, so a
// site with its own MPI rebuilds just that; hence plain C types and one table of functions.
//
// Every function returns 0, or non-zero after copying a message for people into `error` (kMpiErrorLength
// bytes). Thread rule: open, close and abort on the main thread; start, test and the rest from any thread
// (the module locks). Buffers stay with the caller until test reports done.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace graticule {

inline constexpr uint32_t kMpiModuleVersion = 1;
inline constexpr size_t kMpiErrorLength = 512;
inline constexpr int64_t kMpiMaxCount = 1 << 30;  // elements per call
inline constexpr int kMpiControl = 0, kMpiData = 1;

enum MpiCall : int { kMpiAllReduce, kMpiAllGather, kMpiReduceScatter, kMpiBroadcast, kMpiBarrier };

struct MpiWorldInfo {
  int rank, size, local_rank, local_size;
  char host[256];
};

// dtype and op are the values of DType and ReduceOp.
struct MpiOperation {
  int call, dtype, op, root;
  const void* send;  // all-gather and reduce-scatter
  void* data;        // in place, or the receive buffer
  int64_t count;
};

struct MpiTable {
  uint32_t version;
  int (*open)(MpiWorldInfo* info, char* error);
  int (*start)(int communicator, const MpiOperation* operation, void** request, char* error);
  int (*test)(void* request, int* done, char* error);  // frees the request when done
  int (*close)(char* error);                           // Collective
  void (*abort)(int exit_code);
  const char* (*library_version)();
};

// The one exported symbol.
using MpiModuleEntry = const MpiTable* (*)();
inline constexpr char kMpiModuleEntry[] = "graticule_mpi_module";

}  // namespace graticule
