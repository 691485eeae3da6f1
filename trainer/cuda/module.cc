// libgraticule_cuda.so: CUDA behind the interface of trainer/cuda_module.h.
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <memory>
#include <mutex>

#include "data/cuda/normalise.h"
#include "losses/cuda/leave_out.h"
#include "losses/cuda/log_sums.h"
#include "trainer/cuda/handles.h"
#include "trainer/cuda/nccl_communicator.h"
#include "trainer/cuda/nvjpeg_device.h"
#include "trainer/cuda_module.h"

namespace graticule {
namespace {

class PinnedMemory final : public HostAllocator {
 public:
  void* Allocate(size_t bytes) override {
    void* block = nullptr;
    const cudaError_t code = cudaHostAlloc(&block, bytes, cudaHostAllocPortable);
    if (code != cudaSuccess) {
      throw Error(
          ErrorCode::kData,
          "found no " + std::to_string(bytes) + " bytes of pinned memory: " + cudaGetErrorString(code), "",
          "lower train.micro_batch or data.depth, or raise the limit of locked memory (ulimit -l)");
    }
    return block;
  }
  void Free(void* block, size_t) noexcept override { cudaFreeHost(block); }
};

struct CopyWork final : Work {
  void Wait() override { copied.WaitOnHost(); }
  bool Done() override { return copied.Done(); }
  CudaEvent copied;
};

// Copies on a stream of its own into one of two staging buffers, normalises on the compute stream.
class ImageUploader {
 public:
  WorkPtr Upload(const HostImages& images, const PixelScale& scale, void* out, DType dtype,
                 cudaStream_t compute) {
    GRATICULE_CHECK(dtype == DType::kF32 || dtype == DType::kBF16, "images become f32 or bf16");
    Slot& slot = slots_[next_++ % 2];
    const size_t bytes = static_cast<size_t>(images.batch * images.height * images.width) * 3;
    if (slot.used) slot.consumed.Hold(copies_.get());
    if (slot.used && bytes > slot.bytes) slot.consumed.WaitOnHost();  // the old buffer is about to be freed
    void* staging = slot.buffer.Reserve(bytes);
    slot.bytes = std::max(slot.bytes, bytes);
    auto work = std::make_shared<CopyWork>();
    GRATICULE_CUDA(
        cudaMemcpyAsync(staging, images.pixels_BHWC, bytes, cudaMemcpyHostToDevice, copies_.get()));
    work->copied.Record(copies_.get());
    work->copied.Hold(compute);
    ChannelAffine affine{};
    for (int c = 0; c < 3; ++c) {
      affine.scale[c] = 1.0f / (255.0f * scale.deviation[c]);
      affine.offset[c] = -scale.mean[c] / scale.deviation[c];
    }
    GRATICULE_CUDA(static_cast<cudaError_t>(LaunchNormalise(static_cast<const uint8_t*>(staging),
                                                            images.batch, images.height, images.width, affine,
                                                            out, dtype == DType::kBF16, compute)));
    slot.consumed.Record(compute);
    slot.used = true;
    return work;
  }

 private:
  struct Slot {
    DeviceBuffer buffer;
    CudaEvent consumed;
    size_t bytes = 0;
    bool used = false;
  };
  CudaStream copies_;
  Slot slots_[2];
  size_t next_ = 0;
};

class DeviceKernels final : public ContrastiveKernels {
 public:
  bool on_cuda() const override { return true; }
  void LogSums(const LogitBlock& logits, bool of_columns, Slopes slopes, float* sums) const override {
    GRATICULE_CUDA(static_cast<cudaError_t>(LaunchLogSums(logits, of_columns, slopes, sums, Stream())));
  }
  void Gradient(const LogitBlock& logits, Slopes slopes, const LineStatistics& rows,
                const LineStatistics& columns) const override {
    GRATICULE_CUDA(static_cast<cudaError_t>(LaunchGradient(logits, slopes, rows, columns, Stream())));
  }
  void LeaveOut(const LogitBlock& logits, const Mask& mask) const override {
    GRATICULE_CUDA(static_cast<cudaError_t>(LaunchLeaveOut(logits, mask, Stream())));
  }

 private:
  static cudaStream_t Stream() { return c10::cuda::getCurrentCUDAStream().stream(); }
};

class Module final : public CudaModule {
 public:
  std::string Version() const override {
    return "CUDA " + Dotted(CUDART_VERSION) + ", NCCL " + NcclVersion();
  }

  int DeviceCount() override {
    int count = 0;
    count_error_ = cudaGetDeviceCount(&count);
    if (count_error_ == cudaSuccess) return count;
    cudaGetLastError();  // forgotten, so that later calls do not report it as theirs
    return 0;
  }
  std::string DeviceProblem() override {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    const std::string words =
        count_error_ == cudaSuccess ? "no device is visible" : cudaGetErrorString(count_error_);
    return words +
           (driver == 0 ? "; no NVIDIA driver is loaded" : "; the driver serves CUDA " + Dotted(driver));
  }
  void SelectDevice(int index) override {
    GRATICULE_CUDA(cudaSetDevice(index));
    device_ = index;
  }
  std::string DescribeDevice(int index) override {
    cudaDeviceProp p{};
    GRATICULE_CUDA(cudaGetDeviceProperties(&p, index));
    char text[400];
    std::snprintf(text, sizeof text, "%s, compute capability %d.%d, %.1f GiB", p.name, p.major, p.minor,
                  static_cast<double>(p.totalGlobalMem) / (1 << 30));
    return text;
  }
  std::unique_ptr<Communicator> ConnectCollective(Communicator& control, double timeout_s) override {
    return ConnectNcclCollective(control, device_, timeout_s);
  }
  HostAllocator& PinnedAllocator() override { return pinned_; }
  JpegDevice& Jpegs() override {
    if (!jpegs_) jpegs_ = OpenNvjpeg(device_);
    return *jpegs_;
  }
  StreamHandle ComputeStream() override {
    return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
  }
  WorkPtr UploadImages(const HostImages& images, const PixelScale& scale, void* device_B3HW,
                       DType dtype) override {
    GRATICULE_CUDA(cudaSetDevice(device_));  // the caller may be a thread that has not touched the GPU yet
    if (!uploader_) uploader_ = std::make_unique<ImageUploader>();
    return uploader_->Upload(images, scale, device_B3HW, dtype, static_cast<cudaStream_t>(ComputeStream()));
  }
  const ContrastiveKernels& Contrastive() const override { return contrastive_; }

 private:
  static std::string Dotted(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  }

  PinnedMemory pinned_;
  DeviceKernels contrastive_;
  std::unique_ptr<ImageUploader> uploader_;
  std::unique_ptr<JpegDevice> jpegs_;
  cudaError_t count_error_ = cudaSuccess;
  int device_ = 0;
};

}  // namespace

extern "C" __attribute__((visibility("default"))) CudaModule* graticule_cuda_module(uint32_t version) {
  // Never destroyed: at exit the driver may be gone before us.
  static CudaModule* const module = new Module();
  return version == kCudaModuleVersion ? module : nullptr;
}

}  // namespace graticule
