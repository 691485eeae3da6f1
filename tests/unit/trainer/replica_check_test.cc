#include "trainer/checkpoint/replica_check.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"
#include "trainer/comm/fake_communicator.h"

namespace graticule {
namespace {

// Flips one bit of "b" on `broken`; returns how many ranks threw, checking the message.
int Check(int ranks, int broken) {
  auto control = MakeFakeCommunicators(ranks);
  std::atomic<int> thrown = 0;
  RunRanks(ranks, [&](int rank) {
    at::Tensor a = at::arange(100).to(at::kFloat), b = at::ones({7});
    if (rank == broken) *static_cast<uint32_t*>(b.mutable_data_ptr()) ^= 1;
    try {
      CheckReplicasCollective({{"a", a}, {"b", b}}, 12, *control[rank]);
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(std::to_string(broken)), std::string::npos);
      EXPECT_NE(error.message().find("\"b\""), std::string::npos);
      ++thrown;
    }
  });
  return thrown;
}

TEST(ReplicaCheck, EqualRanksPass) { EXPECT_EQ(Check(3, -1), 0); }
TEST(ReplicaCheck, OneFlippedBitStopsAllRanks) { EXPECT_EQ(Check(3, 2), 3); }

}  // namespace
}  // namespace graticule
