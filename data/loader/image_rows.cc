#include "data/loader/image_rows.h"

#include <fmt/format.h>

#include <chrono>
#include <vector>

#include "base/error.h"
#include "data/image/jpeg_decode.h"

namespace graticule {
namespace {

class ImageRows final : public RowSource {
 public:
  ImageRows(std::shared_ptr<const Dataset> dataset, const ImageRowsOptions& options)
      : dataset_(std::move(dataset)), options_(options) {
    const int64_t side = options_.augment.image_size;
    if (options_.views < 1 || options_.views > 255 || side < 1 || side > 8192) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("views {}, image size {}: expected 1..255 and 1..8192", options_.views, side),
                  "data");
    }
    NewWorkspace();  // wrong names of options fail here, not in a thread
  }

  size_t row_bytes() const override { return static_cast<size_t>(options_.views) * view_bytes(); }
  int64_t grain() const override { return 1; }
  void Describe(Batch& batch, uint8_t* rows) const override {
    batch.views = options_.views;
    batch.image_size = options_.augment.image_size;
    batch.images_BVHWC = rows;
  }
  void ReadAhead(int64_t first_record, int64_t count) const override {
    dataset_->ReadAhead(first_record, count);
  }
  std::unique_ptr<Workspace> NewWorkspace() const override {
    return std::make_unique<Decoding>(options_.augment);
  }
  void Fill(int64_t record, const SampleKey& key, Workspace& work, uint8_t* row) const override;

 private:
  struct Decoding final : Workspace {
    explicit Decoding(const AugmentOptions& augment) : cropper(augment) {}
    JpegDecoder decoder;
    Cropper cropper;
    std::vector<uint8_t> bytes;
    Image image;
    JpegInfo shown;
    std::vector<ResizePlan> plans;  // one per view
  };

  size_t view_bytes() const {
    return static_cast<size_t>(options_.augment.image_size * options_.augment.image_size * 3);
  }

  std::shared_ptr<const Dataset> dataset_;
  ImageRowsOptions options_;
};

void ImageRows::Fill(int64_t record, const SampleKey& key, Workspace& any, uint8_t* row) const {
  auto& work = static_cast<Decoding&>(any);
  const auto begin = std::chrono::steady_clock::now();
  dataset_->ReadImage(record, work.bytes);
  work.read_s += SecondsSince(begin);
  const auto decode_begin = std::chrono::steady_clock::now();
  try {
    work.plans.clear();
    // The decoder asks once it knows the size, so that it can leave out what no view shows.
    const auto part = [&](int width, int height) {
      PlanViews(options_, work.cropper, width, height, key, work.plans);
      return work.cropper.PartOf(work.plans);
    };
    work.shown = work.decoder.Decode(
        work.bytes, {.apply_orientation = options_.augment.apply_exif_orientation, .part = part}, work.image);
    if (work.plans.empty())
      PlanViews(options_, work.cropper, work.image.width, work.image.height, key, work.plans);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
    throw BadRecord{record, error.message()};
  }
  for (size_t view = 0; view < work.plans.size(); ++view)
    work.cropper.Crop(work.image, work.shown, work.plans[view], row + view * view_bytes());
  work.decode_s += SecondsSince(decode_begin);
}

}  // namespace

void PlanViews(const ImageRowsOptions& options, const Cropper& cropper, int width, int height,
               const SampleKey& key, std::vector<ResizePlan>& plans) {
  for (int64_t view = 0; view < options.views; ++view) {
    Rng rng(options.seed, {.epoch = static_cast<uint64_t>(key.epoch),
                           .index = static_cast<uint64_t>(key.position),
                           .view = static_cast<uint32_t>(view),
                           .purpose = Purpose::kCrop});
    plans.push_back(cropper.Plan(width, height, rng, static_cast<int>(view)));
  }
}

std::unique_ptr<const RowSource> MakeImageRows(std::shared_ptr<const Dataset> dataset,
                                               const ImageRowsOptions& options) {
  return std::make_unique<ImageRows>(std::move(dataset), options);
}

}  // namespace graticule
