#include "trainer/comm/fake_communicator.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "trainer/comm/host_reduce.h"

namespace graticule {
namespace {

TEST(FakeCommunicator, GivesEveryRankTheSameSum) {
  for (const int n : {2, 4}) {
    auto comms = MakeFakeCommunicators(n);
    RunRanks(n, [&](int r) {
      std::vector<int64_t> x = {r + 1, 10 * r};
      WorkPtr work = comms[r]->AllReduce(x.data(), 2, DType::kI64, ReduceOp::kSum);
      work->Wait();
      EXPECT_TRUE(work->Done());
      EXPECT_EQ(x[0], n * (n + 1) / 2);
      EXPECT_EQ(x[1], 10 * n * (n - 1) / 2);
    });
  }
}

TEST(FakeCommunicator, ReducesInRankOrder) {
  // ((1 + 2^24) - 2^24) + 1 is 1 in fp32, every other order of these four gives another value.
  const float parts[] = {1.0f, 16777216.0f, -16777216.0f, 1.0f};
  auto comms = MakeFakeCommunicators(4);
  for (int repeat = 0; repeat < 20; ++repeat) {
    RunRanks(4, [&](int r) {
      float x = parts[r];
      comms[r]->AllReduce(&x, 1, DType::kF32, ReduceOp::kSum)->Wait();
      EXPECT_EQ(x, 1.0f);
    });
  }
}

TEST(FakeCommunicator, MinAndMaxSeeAllRanks) {
  auto comms = MakeFakeCommunicators(3);
  RunRanks(3, [&](int r) {
    float low = static_cast<float>((r + 1) % 3), high = low;
    comms[r]->AllReduce(&low, 1, DType::kF32, ReduceOp::kMin)->Wait();
    comms[r]->AllReduce(&high, 1, DType::kF32, ReduceOp::kMax)->Wait();
    EXPECT_EQ(low, 0.0f);
    EXPECT_EQ(high, 2.0f);
  });
}

TEST(FakeCommunicator, GathersAndScattersBlocksByRank) {
  auto comms = MakeFakeCommunicators(3);
  RunRanks(3, [&](int r) {
    const int32_t mine[2] = {r, 10 + r};
    int32_t all[6] = {};
    comms[r]->AllGather(mine, all, 2, DType::kI32)->Wait();
    EXPECT_EQ((std::vector<int32_t>(all, all + 6)), (std::vector<int32_t>{0, 10, 1, 11, 2, 12}));

    std::vector<int32_t> send(6);
    std::iota(send.begin(), send.end(), 100 * r);
    int32_t part[2] = {};
    comms[r]->ReduceScatter(send.data(), part, 2, DType::kI32, ReduceOp::kSum)->Wait();
    EXPECT_EQ(part[0], 300 + 3 * (2 * r));
    EXPECT_EQ(part[1], 300 + 3 * (2 * r + 1));

    double value = r == 1 ? 42.0 : 0.0;
    comms[r]->Broadcast(&value, 1, DType::kF64, 1)->Wait();
    EXPECT_EQ(value, 42.0);
  });
}

TEST(FakeCommunicator, OperationsOverlapInProgramOrder) {
  auto comms = MakeFakeCommunicators(2);
  RunRanks(2, [&](int r) {
    std::vector<int32_t> x(50, r + 1);
    std::vector<WorkPtr> pending;
    for (int32_t& value : x) pending.push_back(comms[r]->AllReduce(&value, 1, DType::kI32, ReduceOp::kSum));
    for (auto it = pending.rbegin(); it != pending.rend(); ++it) (*it)->Wait();
    for (const int32_t value : x) EXPECT_EQ(value, 3);
  });
}

TEST(FakeCommunicator, RefusesCallsThatDiffer) {
  auto comms = MakeFakeCommunicators(2);
  int bugs = 0;
  for (int round = 0; round < 1; ++round) {
    try {
      RunRanks(2, [&](int r) {
        std::vector<float> x(3, 1.0f);
        comms[r]->AllReduce(x.data(), r == 0 ? 2 : 3, DType::kF32, ReduceOp::kSum)->Wait();
      });
    } catch (const Error& error) {
      bugs += error.code() == ErrorCode::kBug;
    }
  }
  EXPECT_EQ(bugs, 1);
}

TEST(FakeCommunicator, MissingRankIsALostPeerAfterTheDeadline) {
  auto comms = MakeFakeCommunicators(2, std::chrono::milliseconds(50));
  float x = 1;
  WorkPtr work = comms[0]->AllReduce(&x, 1, DType::kF32, ReduceOp::kSum);
  EXPECT_FALSE(work->Done());
  try {
    work->Wait();
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kPeer);
    EXPECT_NE(error.message().find("1 of 2 ranks"), std::string::npos) << error.what();
  }
}

TEST(FakeCommunicator, AbortFreesTheWaiters) {
  auto comms = MakeFakeCommunicators(2);
  EXPECT_THROW(RunRanks(
                   2, [&](int r) { r == 0 ? comms[0]->Barrier() : throw std::runtime_error("rank 1 fails"); },
                   [&] { comms[1]->Abort(); }),
               std::runtime_error);
}

TEST(HostReduce, RoundsBf16ToNearestEven) {
  // Bit patterns from the definition: bf16 keeps the upper 16 bits of an fp32.
  EXPECT_EQ(FloatToBf16(1.0f), 0x3f80);
  EXPECT_EQ(FloatToBf16(1.00390625f), 0x3f80);  // half way between 1 and 1 + 2^-7: to even
  EXPECT_EQ(FloatToBf16(1.01171875f), 0x3f82);  // half way above 1 + 2^-7: to even
  EXPECT_EQ(FloatToBf16(1.005f), 0x3f81);
  EXPECT_EQ(FloatToBf16(3.4e38f), 0x7f80);  // rounds up to infinity
  EXPECT_EQ(FloatToBf16(-std::numeric_limits<float>::infinity()), 0xff80);
  EXPECT_TRUE(std::isnan(Bf16ToFloat(FloatToBf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(Bf16ToFloat(0xc040), -3.0f);
  uint16_t a[2] = {0x3f80, 0x4040};
  const uint16_t b[2] = {0x3f80, 0xc040};
  ReduceInto(a, b, 2, DType::kBF16, ReduceOp::kSum);
  EXPECT_EQ(a[0], 0x4000);
  EXPECT_EQ(a[1], 0x0000);
}

TEST(HostReduce, LetsNanWinMinAndMax) {
  for (const ReduceOp op : {ReduceOp::kMin, ReduceOp::kMax, ReduceOp::kSum}) {
    float a[2] = {std::nanf(""), 1.0f};
    const float b[2] = {1.0f, std::nanf("")};
    ReduceInto(a, b, 2, DType::kF32, op);
    EXPECT_TRUE(std::isnan(a[0]) && std::isnan(a[1]));
  }
}

}  // namespace
}  // namespace graticule
