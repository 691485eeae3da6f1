#include "base/comm/communicator.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace graticule {
namespace {

class DoneWork : public Work {
 public:
  void Wait() override {}
  bool Done() override { return true; }
};

class SingleCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int world_size() const override { return 1; }
  std::string name() const override { return "single"; }
  WorkPtr AllReduce(void*, size_t, DType, ReduceOp, StreamHandle stream) override { return Host(stream); }
  WorkPtr AllGather(const void* send, void* recv, size_t count, DType dtype, StreamHandle stream) override {
    if (send != recv && count > 0) std::memmove(recv, send, count * SizeOf(dtype));
    return Host(stream);
  }
  WorkPtr ReduceScatter(const void* send, void* recv, size_t count, DType dtype, ReduceOp,
                        StreamHandle stream) override {
    return AllGather(send, recv, count, dtype, stream);
  }
  WorkPtr Broadcast(void*, size_t, DType, int root, StreamHandle stream) override {
    GRATICULE_CHECK(root == 0);
    return Host(stream);
  }
  void Barrier() override {}
  void Abort() noexcept override {}

 private:
  WorkPtr Host(StreamHandle stream) {
    GRATICULE_CHECK(stream == nullptr, "a host communicator was given a device stream");
    return done_;
  }
  const WorkPtr done_ = std::make_shared<DoneWork>();
};

double Reduce(Communicator& comm, double value, ReduceOp op) {
  comm.AllReduce(&value, 1, DType::kF64, op)->Wait();
  return value;
}

}  // namespace

size_t SizeOf(DType dtype) {
  switch (dtype) {
    case DType::kU8:
      return 1;
    case DType::kBF16:
      return 2;
    case DType::kI32:
    case DType::kF32:
      return 4;
    case DType::kI64:
    case DType::kU64:
    case DType::kF64:
      return 8;
  }
  GRATICULE_CHECK(false, "unknown dtype");
}

double Communicator::SumScalar(double value) { return Reduce(*this, value, ReduceOp::kSum); }
double Communicator::MaxScalar(double value) { return Reduce(*this, value, ReduceOp::kMax); }
double Communicator::MinScalar(double value) { return Reduce(*this, value, ReduceOp::kMin); }

std::vector<double> Communicator::GatherScalar(double value) {
  std::vector<double> all(world_size());
  AllGather(&value, all.data(), 1, DType::kF64)->Wait();
  return all;
}

std::vector<std::string> Communicator::GatherStrings(const std::string& text) {
  const auto ranks = static_cast<size_t>(world_size());
  const auto length = static_cast<int64_t>(text.size());
  std::vector<int64_t> lengths(ranks);
  AllGather(&length, lengths.data(), 1, DType::kI64)->Wait();
  const auto longest = static_cast<size_t>(*std::max_element(lengths.begin(), lengths.end()));
  if (longest == 0) return std::vector<std::string>(ranks);
  std::string padded = text;
  padded.resize(longest);
  std::string all(ranks * longest, '\0');
  AllGather(padded.data(), all.data(), longest, DType::kU8)->Wait();
  std::vector<std::string> result;
  for (size_t r = 0; r < ranks; ++r)
    result.push_back(all.substr(r * longest, static_cast<size_t>(lengths[r])));
  return result;
}

std::string Communicator::BroadcastString(const std::string& text, int root) {
  auto length = static_cast<int64_t>(text.size());
  Broadcast(&length, 1, DType::kI64, root)->Wait();
  std::string result = rank() == root ? text : std::string(static_cast<size_t>(length), '\0');
  if (length > 0) Broadcast(result.data(), result.size(), DType::kU8, root)->Wait();
  return result;
}

std::unique_ptr<Communicator> MakeSingleCommunicator() { return std::make_unique<SingleCommunicator>(); }

}  // namespace graticule
