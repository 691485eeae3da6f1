// A libnvjpeg.so.13 that decodes with the CPU's decoder, for jpeg_host_check: as much of the library as the
// CUDA module calls. What it does like the real one on a bad day: a damaged file, or more pixels than a
// session may ask for, fails the whole group and spoils the decoder's state; an image of kSkippedWidth
// columns is left out while success is reported.
#include <nvjpeg.h>

#include <cstdlib>
#include <cstring>
#include <span>

#include "base/error.h"
#include "data/image/jpeg_decode.h"
#include "tests/gpu/fake_nvjpeg.h"
#include "trainer/cuda/nvjpeg_device.h"

struct nvjpegHandle {};
struct nvjpegJpegState {
  int group = 0;
  bool broken = false;
};
struct nvjpegJpegStream {
  graticule::JpegInfo info;
};

namespace {
template <typename T>
nvjpegStatus_t Make(T** made) {
  *made = new T;
  return NVJPEG_STATUS_SUCCESS;
}
template <typename T>
nvjpegStatus_t Drop(T* made) {
  delete made;
  return NVJPEG_STATUS_SUCCESS;
}
}  // namespace

nvjpegStatus_t nvjpegCreateEx(nvjpegBackend_t backend, nvjpegDevAllocator_t*, nvjpegPinnedAllocator_t*,
                              unsigned, nvjpegHandle_t* handle) {
  const bool engines = std::getenv("FAKE_NVJPEG_WITHOUT_ENGINES") == nullptr;
  return backend == NVJPEG_BACKEND_HARDWARE && !engines ? NVJPEG_STATUS_ARCH_MISMATCH : Make(handle);
}
nvjpegStatus_t nvjpegDestroy(nvjpegHandle_t handle) { return Drop(handle); }
nvjpegStatus_t nvjpegJpegStateCreate(nvjpegHandle_t, nvjpegJpegState_t* state) { return Make(state); }
nvjpegStatus_t nvjpegJpegStateDestroy(nvjpegJpegState_t state) { return Drop(state); }
nvjpegStatus_t nvjpegJpegStreamCreate(nvjpegHandle_t, nvjpegJpegStream_t* stream) { return Make(stream); }
nvjpegStatus_t nvjpegJpegStreamDestroy(nvjpegJpegStream_t stream) { return Drop(stream); }

nvjpegStatus_t nvjpegJpegStreamParse(nvjpegHandle_t, const unsigned char* data, size_t length, int, int,
                                     nvjpegJpegStream_t stream) {
  try {
    stream->info = graticule::JpegDecoder().ReadHeader({data, length});
    return NVJPEG_STATUS_SUCCESS;
  } catch (const graticule::Error&) {
    return NVJPEG_STATUS_BAD_JPEG;
  }
}

nvjpegStatus_t nvjpegJpegStreamGetFrameDimensions(nvjpegJpegStream_t stream, unsigned* width,
                                                  unsigned* height) {
  *width = static_cast<unsigned>(stream->info.width);
  *height = static_cast<unsigned>(stream->info.height);
  return NVJPEG_STATUS_SUCCESS;
}

nvjpegStatus_t nvjpegDecodeBatchedSupported(nvjpegHandle_t, nvjpegJpegStream_t stream, int* refused) {
  *refused = stream->info.progressive ? 1 : 0;
  return NVJPEG_STATUS_SUCCESS;
}

nvjpegStatus_t nvjpegDecodeBatchedInitialize(nvjpegHandle_t, nvjpegJpegState_t state, int group, int,
                                             nvjpegOutputFormat_t format) {
  state->group = group;
  return format == NVJPEG_OUTPUT_RGBI ? NVJPEG_STATUS_SUCCESS : NVJPEG_STATUS_INVALID_PARAMETER;
}

nvjpegStatus_t nvjpegDecodeBatched(nvjpegHandle_t, nvjpegJpegState_t state, const unsigned char* const* data,
                                   const size_t* lengths, nvjpegImage_t* to, cudaStream_t) {
  graticule::JpegDecoder decoder;
  graticule::Image image;
  int64_t pixels = 0;
  for (int i = 0; i < state->group; ++i) {
    const graticule::JpegInfo info = decoder.Decode({data[i], lengths[i]}, {}, image);
    pixels += int64_t{info.width} * info.height;
    state->broken = state->broken || info.warnings > 0 || pixels > graticule::kGroupPixels;
    if (state->broken) return NVJPEG_STATUS_EXECUTION_FAILED;
    if (info.width == graticule::kSkippedWidth) continue;
    for (int y = 0; y < image.height; ++y)
      std::memcpy(to[i].channel[0] + size_t{to[i].pitch[0]} * y, image.view().row(y),
                  size_t{3} * image.width);
  }
  return NVJPEG_STATUS_SUCCESS;
}
