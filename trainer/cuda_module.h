// Everything that knows CUDA, seen from the program: libgraticule_cuda.so behind one interface.
//
// The module is opened when the device is `cuda`, before the first tensor is made; after that ATen's CUDA
// device works like any other. Built whenever nvcc is there; running it needs the full torch wheel's
// libraries and a driver. Ownership: the module lives as long as the process. Thread rule: SelectDevice
// first, on the main thread; UploadImages from one thread at a time; the rest from any thread. Failure:
// Error(kUsage) when the module, the driver or the GPU is missing; Error(kBug) for CUDA errors, which name
// the call; Error(kPeer) from the communicator.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/comm/communicator.h"
#include "base/host_allocator.h"
#include "data/image/jpeg_device.h"
#include "losses/contrastive/contrastive_kernels.h"

namespace graticule {

// u8 [batch, height, width, 3] in host memory, best pinned.
struct HostImages {
  const uint8_t* pixels_BHWC = nullptr;
  int64_t batch = 0, height = 0, width = 0;
};

// value = (pixel / 255 - mean) / deviation, per channel.
struct PixelScale {
  float mean[3] = {0, 0, 0};
  float deviation[3] = {1, 1, 1};
};

class CudaModule {
 public:
  virtual ~CudaModule() = default;
  // "CUDA 13.0, NCCL 2.28.9"
  virtual std::string Version() const = 0;
  virtual int DeviceCount() = 0;
  // Why DeviceCount is 0, in the driver's words.
  virtual std::string DeviceProblem() = 0;
  // Makes the device current for this process: one GPU per rank.
  virtual void SelectDevice(int index) = 0;
  // "NVIDIA H100 80GB HBM3, compute capability 9.0, 79.6 GiB"
  virtual std::string DescribeDevice(int index) = 0;

  // Collective over `control`, which carries the id of the new NCCL communicator.
  virtual std::unique_ptr<Communicator> ConnectCollective(Communicator& control, double timeout_s) = 0;

  virtual HostAllocator& PinnedAllocator() = 0;
  // nvJPEG on the selected device, opened with the first call. Throws Error(kUsage) where its library is
  // missing.
  virtual JpegDevice& Jpegs() = 0;
  // The stream that ATen launches on in the calling thread.
  virtual StreamHandle ComputeStream() = 0;

  // Copies images on a stream of its own and normalises them into device_B3HW (f32 or bf16); the compute
  // stream sees the result. The Work is done when pixels_BHWC may be overwritten.
  virtual WorkPtr UploadImages(const HostImages& images, const PixelScale& scale, void* device_B3HW,
                               DType dtype) = 0;

  // LoadCudaModule hands them to the losses.
  virtual const ContrastiveKernels& Contrastive() const = 0;
};

inline constexpr uint32_t kCudaModuleVersion = 2;
inline constexpr char kCudaModuleEntry[] = "graticule_cuda_module";
// Null when `version` is not the module's.
using CudaModuleEntry = CudaModule* (*)(uint32_t version);

// Opens the module once. Throws Error(kUsage) saying what is missing.
CudaModule& LoadCudaModule();

// The module's Version() when it is there and can be opened, else why not. For --version and doctor.
std::string CudaModuleVersion();

// Collective. Selects the GPU of this local rank and connects the ranks' GPUs.
std::unique_ptr<Communicator> OpenDeviceCollective(CudaModule& module, Communicator& control, int local_rank,
                                                   double timeout_s);

}  // namespace graticule
