#include "base/host_allocator.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"

namespace graticule {
namespace {

constexpr size_t kAlignment = 256;

class Pageable : public HostAllocator {
 public:
  void* Allocate(size_t bytes) override {
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    void* block =
        rounded < bytes ? nullptr : std::aligned_alloc(kAlignment, rounded == 0 ? kAlignment : rounded);
    if (block == nullptr) {
      throw Error(ErrorCode::kData, fmt::format("no memory for a buffer of {} bytes", bytes), "",
                  "lower train.micro_batch or the number of prefetched batches");
    }
    return block;
  }
  void Free(void* block, size_t) noexcept override { std::free(block); }
};

}  // namespace

HostAllocator& PageableAllocator() {
  static Pageable allocator;
  return allocator;
}

}  // namespace graticule
