// Where batch memory comes from. The default is aligned host memory; the CUDA module supplies a pinned
// one, so that the loader never knows about devices.
#pragma once

#include <cstddef>

namespace graticule {

// Thread-safe. Blocks are aligned to 256 bytes and stay valid until Free with the same size.
class HostAllocator {
 public:
  virtual ~HostAllocator() = default;
  virtual void* Allocate(size_t bytes) = 0;  // throws Error(kData) when memory is exhausted
  virtual void Free(void* block, size_t bytes) noexcept = 0;
};

// The process-wide allocator of ordinary memory.
HostAllocator& PageableAllocator();

}  // namespace graticule
