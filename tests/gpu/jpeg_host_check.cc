// The CUDA module's JPEG decoder on a machine without a GPU: its own source against a CUDA runtime that is
// plain memory, a libnvjpeg that decodes on the CPU (tests/gpu/fake_nvjpeg.cc), and the kernels as loops. Run
// by cuda_module_test.py. Here crops must be those of the CPU byte for byte.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "data/cuda/crop_resize.h"
#include "tests/gpu/fake_nvjpeg.h"
#include "tests/gpu/jpeg_groups.h"
#include "trainer/cuda/nvjpeg_device.h"

namespace {
int64_t allocated = 0;
}

extern "C" {
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t) { return "an error"; }
cudaError_t cudaDeviceGetStreamPriorityRange(int*, int*) { return cudaSuccess; }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t*, unsigned, int) { return cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaMalloc(void** block, size_t bytes) {
  *block = std::malloc(bytes);
  std::memset(*block, 0xCD, bytes);  // nobody may count on zeros
  ++allocated;
  return cudaSuccess;
}
cudaError_t cudaFree(void* block) {
  allocated -= block != nullptr;
  std::free(block);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
}

namespace graticule {

int LaunchCrops(const CropTask* tasks, int count, void*) {
  const std::span all(tasks, static_cast<size_t>(count));
  for (const CropTask& task : all) {
    for (int p = 0; p < task.rows * task.width; ++p) CropAcross(task, p);
  }
  for (const CropTask& task : all) {
    for (int p = 0; p < task.height * task.width; ++p) CropDown(task, p);
  }
  return cudaSuccess;
}

int LaunchMark(uint8_t* const* ends, int count, void*) {
  for (int i = 0; i < count; ++i) std::memset(ends[i] - kMarkBytes, 0x77, kMarkBytes);
  return cudaSuccess;
}

int LaunchCheckMarks(const uint8_t* const* ends, int count, uint8_t* written, void*) {
  for (int i = 0; i < count; ++i) {
    const uint8_t* const mark = ends[i] - kMarkBytes;
    written[i] = std::any_of(mark, ends[i], [](uint8_t byte) { return byte != 0x77; });
  }
  return cudaSuccess;
}

namespace {

void SkippedImagesAreLeftToTheCaller(JpegDevice& device) {
  const auto session = device.NewSession();
  std::vector<File> files = Files(30, 40);
  Expect(Run(*session, files).done == 30, "a group without any to skip");
  files[4] = {SampleJpeg(kSkippedWidth, 240, 1), kSkippedWidth,
              240};  // into a buffer that was written before
  Expect(Run(*session, files).done == 29, "one image skipped");
}

void ADamagedFileTakesItsGroupAlongAndNoMore(JpegDevice& device) {
  const auto session = device.NewSession();
  std::vector<File> files = Files(5, 40);
  for (size_t k = files[3].bytes.size() / 2; k < files[3].bytes.size() / 2 + 40; ++k)
    files[3].bytes[k] = 0x15;
  files[3].damaged = true;
  Expect(Run(*session, files).done == 0, "a group with a damaged file");
  files.erase(files.begin() + 3);
  Expect(Run(*session, files).done == 4, "the group without it");
  files[1].width += 1;  // not what the file says
  files[1].damaged = true;
  Expect(Run(*session, files).done == 3, "a file of another size");
  Expect(Run(*session, {{SampleJpeg(3, 3, 1), 3, 3, true}}).done == 0, "an image that holds no mark");
  Expect(Run(*session, {}).done == 0, "no file at all");
}

}  // namespace
}  // namespace graticule

int main() {
  try {
    {
      const auto device = graticule::OpenNvjpeg(0);
      const graticule::Distance distance = graticule::CompareGroups(*device);
      graticule::Expect(distance.values > 0 && distance.worst == 0, "bytes of the CPU");
      graticule::SkippedImagesAreLeftToTheCaller(*device);
      graticule::ADamagedFileTakesItsGroupAlongAndNoMore(*device);
    }
    graticule::Expect(allocated == 0, "device memory given back");
    fmt::print("ok\n");
    return 0;
  } catch (const graticule::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
