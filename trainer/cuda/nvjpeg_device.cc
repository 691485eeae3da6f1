#include "trainer/cuda/nvjpeg_device.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <nvjpeg.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/cuda/crop_resize.h"
#include "trainer/cuda/handles.h"

namespace graticule {
namespace {

constexpr char kLibrary[] = "libnvjpeg.so.13";

// The functions in use, under their names without the prefix.
struct Library {
#define GRATICULE_NVJPEG_FUNCTIONS(F)                                                        \
  F(CreateEx)                                                                                \
  F(Destroy) F(JpegStateCreate) F(JpegStateDestroy) F(JpegStreamCreate) F(JpegStreamDestroy) \
      F(JpegStreamParse) F(JpegStreamGetFrameDimensions) F(DecodeBatchedSupported)           \
          F(DecodeBatchedInitialize) F(DecodeBatched)
#define GRATICULE_DECLARE(name) decltype(&nvjpeg##name) name = nullptr;
  GRATICULE_NVJPEG_FUNCTIONS(GRATICULE_DECLARE)

  Library() {
    const auto refuse = [](const std::string& what) {
      throw Error(
          ErrorCode::kUsage, what, "data.decode",
          "install the wheel nvidia-nvjpeg of CUDA 13 and put its lib folder into LD_LIBRARY_PATH, or "
          "set data.decode=exact");
    };
    void* const library = dlopen(kLibrary, RTLD_NOW);  // never closed, as the modules
    if (library == nullptr) refuse(std::string(kLibrary) + " cannot be opened: " + dlerror());
#define GRATICULE_FIND(name)                                               \
  name = reinterpret_cast<decltype(name)>(dlsym(library, "nvjpeg" #name)); \
  if (name == nullptr) refuse(std::string(kLibrary) + " has no nvjpeg" #name);
    GRATICULE_NVJPEG_FUNCTIONS(GRATICULE_FIND)
  }
};

void CheckMade(nvjpegStatus_t status, const char* what) {
  if (status == NVJPEG_STATUS_SUCCESS) return;
  throw Error(ErrorCode::kUsage,
              std::string("nvJPEG makes no ") + what + " on this GPU: status " + std::to_string(status),
              "data.decode", "lower data.threads to leave more memory on the GPU, or set data.decode=exact");
}

void CheckLaunch(int code) { GRATICULE_CUDA(static_cast<cudaError_t>(code)); }

// Where the parts of a buffer lie that is reserved once all are known.
class Layout {
 public:
  size_t Add(size_t bytes) {
    constexpr size_t kAlign = 256;
    const size_t at = size_;
    size_ += (bytes + kAlign - 1) / kAlign * kAlign;
    return at;
  }
  size_t size() const { return size_; }

 private:
  size_t size_ = 0;
};

class NvjpegSession final : public JpegDevice::Session {
 public:
  NvjpegSession(const Library& library, nvjpegHandle_t handle, int device)
      : nvjpeg_(library), handle_(handle), device_(device) {
    CheckMade(nvjpeg_.JpegStreamCreate(handle_, &parsed_), "parser");
  }
  ~NvjpegSession() override {
    if (state_ != nullptr) nvjpeg_.JpegStateDestroy(state_);
    nvjpeg_.JpegStreamDestroy(parsed_);
  }
  void Decode(std::span<DeviceJpeg> jpegs, const CropTables& tables) override;

 private:
  static int64_t Pixels(const DeviceJpeg& jpeg) { return int64_t{jpeg.width} * jpeg.height; }
  bool Takes(const DeviceJpeg& jpeg);
  bool DecodeGroup(std::span<DeviceJpeg* const> group, uint8_t* const* images);
  void RunGroup(std::span<DeviceJpeg* const> group, const CropTables& tables, const int32_t* words);
  template <typename T>
  T* Upload(DeviceBuffer& buffer, std::span<const T> from) {
    T* const to = static_cast<T*>(buffer.Reserve(from.size_bytes()));
    GRATICULE_CUDA(
        cudaMemcpyAsync(to, from.data(), from.size_bytes(), cudaMemcpyHostToDevice, stream_.get()));
    return to;
  }

  const Library& nvjpeg_;
  const nvjpegHandle_t handle_;
  const int device_;
  CudaStream stream_;
  nvjpegJpegStream_t parsed_ = nullptr;
  nvjpegJpegState_t state_ = nullptr;
  DeviceBuffer words_, work_, tasks_, ends_, written_;
};

// Parses all of the file: the hardware stumbles over damage that the header does not show. The size must be
// what the caller read, since the buffers are made for it.
bool NvjpegSession::Takes(const DeviceJpeg& jpeg) {
  unsigned width = 0, height = 0;
  int refused = 1;
  return Pixels(jpeg) <= kGroupPixels && 3 * Pixels(jpeg) >= kMarkBytes &&
         nvjpeg_.JpegStreamParse(handle_, jpeg.bytes.data(), jpeg.bytes.size(), 0, 0, parsed_) ==
             NVJPEG_STATUS_SUCCESS &&
         nvjpeg_.JpegStreamGetFrameDimensions(parsed_, &width, &height) == NVJPEG_STATUS_SUCCESS &&
         static_cast<int>(width) == jpeg.width && static_cast<int>(height) == jpeg.height &&
         nvjpeg_.DecodeBatchedSupported(handle_, parsed_, &refused) == NVJPEG_STATUS_SUCCESS && refused == 0;
}

void NvjpegSession::Decode(std::span<DeviceJpeg> jpegs, const CropTables& tables) {
  if (jpegs.empty()) return;
  GRATICULE_CUDA(cudaSetDevice(device_));
  const int32_t* const words = Upload(words_, tables.words());
  std::vector<DeviceJpeg*> group;
  int64_t pixels = 0;
  for (DeviceJpeg& jpeg : jpegs) {
    jpeg.done = false;
    if (!Takes(jpeg)) continue;
    if (pixels + Pixels(jpeg) > kGroupPixels) {
      RunGroup(group, tables, words);
      group.clear();
      pixels = 0;
    }
    group.push_back(&jpeg);
    pixels += Pixels(jpeg);
  }
  if (!group.empty()) RunGroup(group, tables, words);
}

bool NvjpegSession::DecodeGroup(std::span<DeviceJpeg* const> group, uint8_t* const* images) {
  std::vector<const unsigned char*> bytes;
  std::vector<size_t> lengths;
  std::vector<nvjpegImage_t> to(group.size());
  for (size_t i = 0; i < group.size(); ++i) {
    bytes.push_back(group[i]->bytes.data());
    lengths.push_back(group[i]->bytes.size());
    to[i].channel[0] = images[i];
    to[i].pitch[0] = 3 * static_cast<unsigned>(group[i]->width);
  }
  if (state_ == nullptr) CheckMade(nvjpeg_.JpegStateCreate(handle_, &state_), "decoder");
  const bool done = nvjpeg_.DecodeBatchedInitialize(handle_, state_, static_cast<int>(group.size()), 1,
                                                    NVJPEG_OUTPUT_RGBI) == NVJPEG_STATUS_SUCCESS &&
                    nvjpeg_.DecodeBatched(handle_, state_, bytes.data(), lengths.data(), to.data(),
                                          stream_.get()) == NVJPEG_STATUS_SUCCESS;
  if (!done) nvjpeg_.JpegStateDestroy(std::exchange(state_, nullptr));
  return done;
}

// Decodes the group, makes its crops and waits for them.
void NvjpegSession::RunGroup(std::span<DeviceJpeg* const> group, const CropTables& tables,
                             const int32_t* words) {
  struct Part {  // of one image: where it is decoded, and where its crops go
    size_t image, crops, crop_bytes = 0;
    std::vector<size_t> scratch = {};
  };
  const auto crops_of = [&](const DeviceJpeg* jpeg) {
    return tables.crops().subspan(jpeg->first_crop, jpeg->crops);
  };
  const auto bytes_of = [](const CropTable& crop) { return size_t{3} * crop.width * crop.height; };
  Layout layout;
  std::vector<Part> parts;
  for (const DeviceJpeg* jpeg : group) {
    Part part{.image = layout.Add(static_cast<size_t>(3 * Pixels(*jpeg))), .crops = 0};
    for (const CropTable& crop : crops_of(jpeg)) {
      part.scratch.push_back(layout.Add(size_t{3} * crop.rows * crop.width));
      part.crop_bytes += bytes_of(crop);
    }
    part.crops = layout.Add(part.crop_bytes);
    parts.push_back(std::move(part));
  }
  auto* const base = static_cast<uint8_t*>(work_.Reserve(layout.size()));

  std::vector<uint8_t*> starts, ends;
  std::vector<CropTask> tasks;
  for (size_t i = 0; i < group.size(); ++i) {
    starts.push_back(base + parts[i].image);
    ends.push_back(starts[i] + 3 * Pixels(*group[i]));
    uint8_t* out = base + parts[i].crops;
    const std::span<const CropTable> crops = crops_of(group[i]);
    for (size_t k = 0; k < crops.size(); out += bytes_of(crops[k++])) {
      tasks.push_back(
          TaskOf(crops[k], words, starts[i], int64_t{3} * group[i]->width, base + parts[i].scratch[k], out));
    }
  }
  const int count = static_cast<int>(group.size());
  uint8_t* const* const device_ends = Upload(ends_, std::span<uint8_t* const>(ends));
  const CropTask* const device_tasks = Upload(tasks_, std::span<const CropTask>(tasks));
  auto* const device_written = static_cast<uint8_t*>(written_.Reserve(group.size()));
  CheckLaunch(LaunchMark(device_ends, count, stream_.get()));
  // The hardware writes without waiting for what the stream has queued before.
  GRATICULE_CUDA(cudaStreamSynchronize(stream_.get()));
  std::vector<uint8_t> written(group.size(), 0);
  if (DecodeGroup(group, starts.data())) {
    CheckLaunch(LaunchCheckMarks(device_ends, count, device_written, stream_.get()));
    CheckLaunch(LaunchCrops(device_tasks, static_cast<int>(tasks.size()), stream_.get()));
    for (size_t i = 0; i < group.size(); ++i) {
      GRATICULE_CUDA(cudaMemcpyAsync(group[i]->out, base + parts[i].crops, parts[i].crop_bytes,
                                     cudaMemcpyDeviceToHost, stream_.get()));
    }
    GRATICULE_CUDA(cudaMemcpyAsync(written.data(), device_written, written.size(), cudaMemcpyDeviceToHost,
                                   stream_.get()));
  }
  GRATICULE_CUDA(cudaStreamSynchronize(stream_.get()));
  for (size_t i = 0; i < group.size(); ++i) group[i]->done = written[i] != 0;
}

class NvjpegDevice final : public JpegDevice {
 public:
  explicit NvjpegDevice(int device) : device_(device) {
    constexpr unsigned kFlags = NVJPEG_FLAGS_UPSAMPLING_WITH_INTERPOLATION;
    GRATICULE_CUDA(cudaSetDevice(device));
    if (nvjpeg_.CreateEx(NVJPEG_BACKEND_HARDWARE, nullptr, nullptr, kFlags, &handle_) ==
        NVJPEG_STATUS_SUCCESS)
      return;
    CheckMade(nvjpeg_.CreateEx(NVJPEG_BACKEND_GPU_HYBRID, nullptr, nullptr, kFlags, &handle_),
              "library handle");
  }
  ~NvjpegDevice() override { nvjpeg_.Destroy(handle_); }
  std::unique_ptr<Session> NewSession() override {
    GRATICULE_CUDA(cudaSetDevice(device_));  // the stream is made on the current one
    return std::make_unique<NvjpegSession>(nvjpeg_, handle_, device_);
  }

 private:
  const Library nvjpeg_;
  const int device_;
  nvjpegHandle_t handle_ = nullptr;
};

}  // namespace

std::unique_ptr<JpegDevice> OpenNvjpeg(int device) { return std::make_unique<NvjpegDevice>(device); }

}  // namespace graticule
