#include "base/comm/communicator.h"

#include <gtest/gtest.h>

#include <cstring>

namespace graticule {
namespace {

// Behaves as rank 0 of two ranks whose peer holds scripted bytes: enough to check the helpers' arithmetic.
class TwoRanks : public Communicator {
 public:
  std::vector<std::vector<uint8_t>> peer;  // what rank 1 contributes, call by call

  int rank() const override { return 0; }
  int world_size() const override { return 2; }
  std::string name() const override { return "scripted"; }
  WorkPtr AllReduce(void* data, size_t count, DType dtype, ReduceOp op, StreamHandle) override {
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(dtype, DType::kF64);
    double mine, theirs;
    std::memcpy(&mine, data, 8);
    std::memcpy(&theirs, Next(8).data(), 8);
    const double result = op == ReduceOp::kSum   ? mine + theirs
                          : op == ReduceOp::kMax ? std::max(mine, theirs)
                                                 : std::min(mine, theirs);
    std::memcpy(data, &result, 8);
    return single_->AllReduce(data, 1, dtype, op);
  }
  WorkPtr AllGather(const void* send, void* recv, size_t count, DType dtype, StreamHandle) override {
    const size_t bytes = count * SizeOf(dtype);
    std::memcpy(recv, send, bytes);
    std::memcpy(static_cast<uint8_t*>(recv) + bytes, Next(bytes).data(), bytes);
    return single_->AllReduce(recv, 0, dtype, ReduceOp::kSum);
  }
  WorkPtr ReduceScatter(const void*, void*, size_t, DType, ReduceOp, StreamHandle) override {
    return nullptr;
  }
  WorkPtr Broadcast(void* data, size_t count, DType dtype, int root, StreamHandle) override {
    if (root == 1) std::memcpy(data, Next(count * SizeOf(dtype)).data(), count * SizeOf(dtype));
    return single_->AllReduce(data, 0, dtype, ReduceOp::kSum);
  }
  void Barrier() override {}
  void Abort() noexcept override {}

 private:
  std::vector<uint8_t> Next(size_t bytes) {
    EXPECT_FALSE(peer.empty());
    std::vector<uint8_t> next = peer.front();
    peer.erase(peer.begin());
    next.resize(bytes);
    return next;
  }
  std::unique_ptr<Communicator> single_ = MakeSingleCommunicator();
};

template <typename T>
std::vector<uint8_t> BytesOf(T value) {
  std::vector<uint8_t> bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

TEST(Communicator, ReducesScalarsOverRanks) {
  TwoRanks comm;
  comm.peer = {BytesOf(2.5), BytesOf(2.5), BytesOf(2.5), BytesOf(2.5)};
  EXPECT_EQ(comm.SumScalar(4), 6.5);
  EXPECT_EQ(comm.MaxScalar(4), 4);
  EXPECT_EQ(comm.MinScalar(4), 2.5);
  EXPECT_EQ(comm.GatherScalar(4), (std::vector<double>{4, 2.5}));
}

TEST(Communicator, GathersStringsOfUnequalLength) {
  TwoRanks comm;
  comm.peer = {BytesOf(int64_t{5}), {'h', 'e', 'l', 'l', 'o'}};
  EXPECT_EQ(comm.GatherStrings("ab"), (std::vector<std::string>{"ab", "hello"}));
  comm.peer = {BytesOf(int64_t{0}), {}};
  EXPECT_EQ(comm.GatherStrings("ab"), (std::vector<std::string>{"ab", ""}));
  comm.peer = {BytesOf(int64_t{0})};
  EXPECT_EQ(comm.GatherStrings(""), (std::vector<std::string>{"", ""}));
}

TEST(Communicator, BroadcastsAStringWhoseLengthOnlyTheRootKnows) {
  TwoRanks comm;
  comm.peer = {BytesOf(int64_t{3}), {'x', 'y', 'z'}};
  EXPECT_EQ(comm.BroadcastString("longer than that", 1), "xyz");
  EXPECT_EQ(comm.BroadcastString("mine", 0), "mine");
}

TEST(SingleCommunicator, CopiesAndKeepsValues) {
  const auto comm = MakeSingleCommunicator();
  const float send[3] = {1, 2, 3};
  float gathered[3] = {}, scattered[3] = {};
  comm->AllGather(send, gathered, 3, DType::kF32)->Wait();
  comm->ReduceScatter(send, scattered, 3, DType::kF32, ReduceOp::kSum)->Wait();
  EXPECT_EQ(0, std::memcmp(send, gathered, sizeof(send)));
  EXPECT_EQ(0, std::memcmp(send, scattered, sizeof(send)));
  EXPECT_EQ(comm->SumScalar(3), 3);
  EXPECT_EQ(comm->GatherStrings("a"), std::vector<std::string>{"a"});
  EXPECT_EQ(comm->world_size(), 1);
  EXPECT_TRUE(comm->AllReduce(gathered, 3, DType::kF32, ReduceOp::kMax)->Done());
}

TEST(DType, HasTheSizesOfTheStandard) {
  EXPECT_EQ(SizeOf(DType::kU8), 1u);
  EXPECT_EQ(SizeOf(DType::kBF16), 2u);
  EXPECT_EQ(SizeOf(DType::kI32), 4u);
  EXPECT_EQ(SizeOf(DType::kF32), 4u);
  EXPECT_EQ(SizeOf(DType::kI64), 8u);
  EXPECT_EQ(SizeOf(DType::kU64), 8u);
  EXPECT_EQ(SizeOf(DType::kF64), 8u);
}

}  // namespace
}  // namespace graticule
