#include "trainer/step/micro_batch.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>

#include "base/error.h"

namespace graticule {
namespace {

template <typename T>
std::vector<T> Rows(const std::vector<T>& values, int64_t begin, int64_t count, int64_t width = 1) {
  if (values.empty()) return {};
  return {values.begin() + begin * width, values.begin() + (begin + count) * width};
}

}  // namespace

Batch SliceBatch(const Batch& batch, int64_t begin, int64_t count) {
  GRATICULE_CHECK(begin >= 0 && count >= 0 && begin + count <= batch.size);
  Batch part;
  part.size = count;
  part.views = batch.views;
  part.image_size = batch.image_size;
  const int64_t image_bytes = batch.views * batch.image_size * batch.image_size * 3;
  if (batch.images_BVHWC != nullptr) part.images_BVHWC = batch.images_BVHWC + begin * image_bytes;
  part.places = Rows(batch.places, begin, count);
  part.position = Rows(batch.position, begin, count);
  part.record = Rows(batch.record, begin, count);
  part.climate = Rows(batch.climate, begin, count);
  part.month = Rows(batch.month, begin, count);
  part.aux_B6 = Rows(batch.aux_B6, begin, count, 6);
  return part;
}

at::Tensor NormalisedImages(const Batch& batch, c10::Device device) {
  const int64_t n = batch.size * batch.views, size = batch.image_size;
  const at::Tensor bytes_BHWC =
      at::from_blob(batch.images_BVHWC, {n, size, size, 3}, at::TensorOptions().dtype(at::kByte));
  // Bytes travel, floats are made on the device.
  const at::Tensor on_device = bytes_BHWC.to(device, /*non_blocking=*/true).permute({0, 3, 1, 2});
  const auto options = at::TensorOptions().dtype(at::kFloat);
  std::vector<float> scale(3), shift(3);
  for (int c = 0; c < 3; ++c) {
    scale[c] = static_cast<float>(1.0 / (255.0 * kClipStd[c]));
    shift[c] = static_cast<float>(-kClipMean[c] / kClipStd[c]);
  }
  at::Tensor images = at::empty({n, 3, size, size}, options.device(device));
  images.copy_(on_device);
  images.mul_(at::tensor(scale, options).view({1, 3, 1, 1}).to(device));
  images.add_(at::tensor(shift, options).view({1, 3, 1, 1}).to(device));
  return images;
}

}  // namespace graticule
