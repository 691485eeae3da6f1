#include "trainer/checkpoint/replica_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/hash.h"

namespace graticule {
namespace {

// 32 bits per tensor are enough to notice a difference, and tell which tensor it is in.
std::string Digests(const std::vector<NamedTensor>& tensors) {
  std::string digests;
  for (const NamedTensor& named : tensors) {
    const at::Tensor values = named.tensor.detach().to(at::kCPU).contiguous();
    digests += fmt::format("{:08x}", Crc32c(values.const_data_ptr(), values.nbytes()));
  }
  return digests;
}

}  // namespace

void CheckReplicasCollective(const std::vector<NamedTensor>& tensors, int64_t step, Communicator& control) {
  if (control.world_size() == 1) return;
  const std::vector<std::string> all = control.GatherStrings(Digests(tensors));
  std::vector<int> others;
  size_t first = tensors.size();
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    others.push_back(static_cast<int>(rank));
    for (size_t i = 0; i < first; ++i) {
      if (all[rank].compare(i * 8, 8, all[0], i * 8, 8) != 0) first = i;
    }
  }
  if (others.empty()) return;
  throw Error(ErrorCode::kBug,
              fmt::format("at step {} ranks {} hold other values than rank 0, first in \"{}\"", step,
                          fmt::join(others, ", "), tensors[first].name),
              fmt::format("rank {}", control.rank()),
              "nothing was saved; start again from the last checkpoint, and test the memory of these nodes "
              "if it comes back");
}

}  // namespace graticule
