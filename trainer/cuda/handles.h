// Owning types and checks for CUDA handles. Part of the CUDA module.
//
// Failure: a CUDA call that fails throws Error(kBug) with the call, the driver's words and the source line;
// memory exhaustion throws Error(kUsage) and says what to make smaller. Destructors ignore errors: after a
// fault of the device every call fails, and the first one was reported.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <utility>

#include "base/error.h"

namespace graticule {

inline void CheckCuda(cudaError_t code, const char* call, const char* file, int line) {
  if (code == cudaSuccess) return;
  const std::string what = std::string(call) + ": " + cudaGetErrorString(code);
  const std::string where = std::string(file) + ":" + std::to_string(line);
  if (code == cudaErrorMemoryAllocation) {
    throw Error(ErrorCode::kUsage, what, where, "lower train.micro_batch, or leave more memory on this GPU");
  }
  throw Error(ErrorCode::kBug, what, where);
}
#define GRATICULE_CUDA(call) ::graticule::CheckCuda((call), #call, __FILE__, __LINE__)

// An event without timing. Movable.
class CudaEvent {
 public:
  CudaEvent() { GRATICULE_CUDA(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~CudaEvent() {
    if (event_) cudaEventDestroy(event_);
  }
  CudaEvent(CudaEvent&& o) noexcept : event_(std::exchange(o.event_, nullptr)) {}
  CudaEvent& operator=(CudaEvent&&) = delete;
  void Record(cudaStream_t stream) { GRATICULE_CUDA(cudaEventRecord(event_, stream)); }
  // `stream` waits for what was recorded; the host goes on.
  void Hold(cudaStream_t stream) const { GRATICULE_CUDA(cudaStreamWaitEvent(stream, event_, 0)); }
  bool Done() const {
    const cudaError_t code = cudaEventQuery(event_);
    if (code == cudaErrorNotReady) return false;
    GRATICULE_CUDA(code);
    return true;
  }
  void WaitOnHost() const { GRATICULE_CUDA(cudaEventSynchronize(event_)); }

 private:
  cudaEvent_t event_ = nullptr;
};

// A stream that does not wait for the default one, of the highest priority.
class CudaStream {
 public:
  CudaStream() {
    int least = 0, greatest = 0;
    GRATICULE_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    GRATICULE_CUDA(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest));
  }
  ~CudaStream() { cudaStreamDestroy(stream_); }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// Device memory that only grows.
class DeviceBuffer {
 public:
  ~DeviceBuffer() { cudaFree(data_); }
  DeviceBuffer() = default;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  void* Reserve(size_t bytes) {
    if (bytes > size_) {
      cudaFree(std::exchange(data_, nullptr));
      size_ = 0;
      GRATICULE_CUDA(cudaMalloc(&data_, bytes));
      size_ = bytes;
    }
    return data_;
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace graticule
