#include "trainer/step/micro_batch.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>

#include "base/error.h"
#include "models/tensor_io.h"
#include "trainer/cuda_module.h"

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
  part.embedding_dim = batch.embedding_dim;
  part.embedding_dtype = batch.embedding_dtype;
  if (batch.embeddings_BVD != nullptr) {
    part.embeddings_BVD =
        batch.embeddings_BVD +
        static_cast<size_t>(begin * batch.views * batch.embedding_dim) * SizeOf(batch.embedding_dtype);
  }
  part.keys = Rows(batch.keys, begin, count);
  part.places = Rows(batch.places, begin, count);
  part.position = Rows(batch.position, begin, count);
  part.record = Rows(batch.record, begin, count);
  part.climate = Rows(batch.climate, begin, count);
  part.month = Rows(batch.month, begin, count);
  part.aux_B6 = Rows(batch.aux_B6, begin, count, 6);
  return part;
}

namespace {

StagedInput StageImages(const Batch& batch, c10::Device device, CudaModule* cuda) {
  const int64_t n = batch.size * batch.views, size = batch.image_size;
  const auto options = at::TensorOptions().dtype(at::kFloat);
  at::Tensor images = at::empty({n, 3, size, size}, options.device(device));
  if (cuda != nullptr) {
    PixelScale scale;
    for (int c = 0; c < 3; ++c) {
      scale.mean[c] = static_cast<float>(kClipMean[c]);
      scale.deviation[c] = static_cast<float>(kClipStd[c]);
    }
    WorkPtr copied = cuda->UploadImages({batch.images_BVHWC, n, size, size}, scale, images.mutable_data_ptr(),
                                        DType::kF32);
    return {{.images_B3HW = std::move(images), .embeddings_BD = {}}, std::move(copied)};
  }
  const at::Tensor bytes_BHWC =
      at::from_blob(batch.images_BVHWC, {n, size, size, 3}, at::TensorOptions().dtype(at::kByte));
  std::vector<float> scale(3), shift(3);
  for (int c = 0; c < 3; ++c) {
    scale[c] = static_cast<float>(1.0 / (255.0 * kClipStd[c]));
    shift[c] = static_cast<float>(-kClipMean[c] / kClipStd[c]);
  }
  images.copy_(bytes_BHWC.permute({0, 3, 1, 2}));
  images.mul_(at::tensor(scale, options).view({1, 3, 1, 1}));
  images.add_(at::tensor(shift, options).view({1, 3, 1, 1}));
  return {{.images_B3HW = std::move(images), .embeddings_BD = {}}, nullptr};
}

// A few KiB a row: the copy is waited for.
at::Tensor Embeddings(const Batch& batch, c10::Device device) {
  const at::Tensor stored =
      at::from_blob(batch.embeddings_BVD, {batch.size * batch.views, batch.embedding_dim},
                    at::TensorOptions().dtype(ScalarTypeOf(batch.embedding_dtype)));
  return stored.to(device, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

StagedInput StageInput(const Batch& batch, c10::Device device, CudaModule* cuda) {
  GRATICULE_CHECK(device.is_cpu() == (cuda == nullptr));
  if (batch.embeddings_BVD == nullptr) return StageImages(batch, device, cuda);
  return {{.images_B3HW = {}, .embeddings_BD = Embeddings(batch, device)}, nullptr};
}

}  // namespace graticule
