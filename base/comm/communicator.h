// Collectives over buffers, without naming MPI, NCCL or torch. Implementations: trainer/comm (MPI module,
// in-process fake, world of one) and the CUDA module (NCCL).
//
// Invariants: every rank calls the same collectives in the same order with equal counts (issue order equals
// program order). Buffers belong to the caller and must stay alive and untouched until the Work is done.
// Thread rule: one thread issues on a communicator; Work may be waited on from any thread.
// Failure: a lost peer or a passed deadline throws Error(kPeer) out of Wait, naming the operation.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace graticule {

enum class DType : uint8_t { kU8, kI32, kI64, kU64, kF32, kF64, kBF16 };
size_t SizeOf(DType dtype);

enum class ReduceOp : uint8_t { kSum, kMin, kMax };

// Opaque device stream (cudaStream_t), null for host communicators.
using StreamHandle = void*;

class Work {
 public:
  virtual ~Work() = default;
  // Blocks until the operation has finished. Throws Error(kPeer) after the communicator's time-out.
  virtual void Wait() = 0;
  virtual bool Done() = 0;  // never blocks
  // Where the operation runs on a device, `stream` waits for it and the caller goes on; otherwise the same as Wait.
  virtual void WaitOn(StreamHandle stream) { Wait(); }
};
using WorkPtr = std::shared_ptr<Work>;

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;
  virtual std::string name() const = 0;  // "mpi", "nccl", "fake", "single"

  // Collective. In place. count is in elements.
  virtual WorkPtr AllReduce(void* data, size_t count, DType dtype, ReduceOp op,
                            StreamHandle stream = nullptr) = 0;
  // Collective. recv holds world_size * count elements, rank r's block at r * count.
  virtual WorkPtr AllGather(const void* send, void* recv, size_t count, DType dtype,
                            StreamHandle stream = nullptr) = 0;
  // Collective. send holds world_size * count elements, recv the reduced block of this rank.
  virtual WorkPtr ReduceScatter(const void* send, void* recv, size_t count, DType dtype, ReduceOp op,
                                StreamHandle stream = nullptr) = 0;
  // Collective.
  virtual WorkPtr Broadcast(void* data, size_t count, DType dtype, int root,
                            StreamHandle stream = nullptr) = 0;
  // Collective.
  virtual void Barrier() = 0;
  // Frees all waiters of this rank with Error(kPeer). Not collective; callable from any thread.
  virtual void Abort() noexcept = 0;

  // Collective conveniences on host scalars and strings, built on the calls above.
  double SumScalar(double value);
  double MaxScalar(double value);
  double MinScalar(double value);
  std::vector<double> GatherScalar(double value);
  std::vector<std::string> GatherStrings(const std::string& text);
  std::string BroadcastString(const std::string& text, int root);
};

// A world of one: every collective returns at once.
std::unique_ptr<Communicator> MakeSingleCommunicator();

}  // namespace graticule
