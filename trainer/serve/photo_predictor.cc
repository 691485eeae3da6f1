#include "trainer/serve/photo_predictor.h"

#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "base/fs.h"
#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/import/image_source.h"
#include "trainer/run/training_parts.h"
#include "trainer/step/micro_batch.h"

namespace graticule {
namespace {

// Decodes and crops one photo at a time into rows of a batch.
class PhotoReader {
 public:
  explicit PhotoReader(const AugmentOptions& augment)
      : cropper_(augment), decoding_{.apply_orientation = augment.apply_exif_orientation} {}

  void Read(const std::string& path, uint8_t* out) {
    const std::string bytes = ReadFileToString(path);
    decoder_.Decode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, decoding_, image_);
    Rng unused(0, {});
    cropper_.Crop(image_, unused, out);
  }

 private:
  JpegDecoder decoder_;
  Cropper cropper_;
  const JpegOptions decoding_;
  Image image_;
};

}  // namespace

std::vector<std::string> FindPhotos(const std::vector<std::string>& paths) {
  FileSystem& fs = PosixFs();
  std::vector<std::string> photos;
  for (const std::string& path : paths) {
    if (!fs.Exists(path)) throw Error(ErrorCode::kUsage, "there is no such photo or folder", path);
    if (!fs.IsDirectory(path)) {
      photos.push_back(path);
      continue;
    }
    for (const std::string& file : ListFilesBelow(path)) {
      if (HasJpegName(file)) photos.push_back(JoinPath(path, file));
    }
  }
  if (photos.empty()) {
    throw Error(ErrorCode::kUsage, "found no .jpg or .jpeg file", paths.empty() ? "" : paths.front(),
                "name photos or a folder of them");
  }
  return photos;
}

std::vector<PhotoPrediction> PredictPhotos(OpenedModel& model, const std::vector<std::string>& photos,
                                           int top, double near_km, const World& world, int64_t batch_size) {
  const torch::autograd::AutoGradMode no_grad(false);
  const AugmentOptions augment = model.EvalAugment();
  PhotoReader reader(augment);
  const int64_t bytes = augment.image_size * augment.image_size * 3;
  std::vector<uint8_t> pixels(static_cast<size_t>(batch_size * bytes));
  std::vector<PhotoPrediction> results;
  for (size_t begin = 0; begin < photos.size(); begin += static_cast<size_t>(batch_size)) {
    std::vector<size_t> rows;  // results that got a row of the batch
    const size_t end = std::min(photos.size(), begin + static_cast<size_t>(batch_size));
    for (size_t i = begin; i < end; ++i) {
      results.push_back({photos[i], "", {}});
      try {
        reader.Read(photos[i], pixels.data() + static_cast<int64_t>(rows.size()) * bytes);
        rows.push_back(i);
      } catch (const Error& error) {
        results.back().problem = error.message();
      }
    }
    if (rows.empty()) continue;
    Batch batch;
    batch.size = static_cast<int64_t>(rows.size());
    batch.image_size = augment.image_size;
    batch.images_BVHWC = pixels.data();
    const StagedInput staged = StageInput(batch, DeviceOf(world), world.cuda);
    const auto places = model.recipe->Predict(model.recipe->Encode(staged.input), top, near_km);
    for (size_t row = 0; row < rows.size(); ++row) results[rows[row]].places = places[row];
  }
  return results;
}

}  // namespace graticule
