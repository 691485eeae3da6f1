// One sample: which record stands at a global position, its bytes, decoded, cropped and resized.
//
// Fill is a pure function of (options.seed, epoch, position) and the bytes of the dataset. A bad record
// passes its turn to the next good one in dataset order; the list of bad ones found so far only saves work,
// it decides nothing. Thread-safe: each calling thread brings its own Workspace. The dataset is shared and
// outlives the source. Fails: Error(kUsage) for options that make no epoch, Error(kData) for I/O and for too
// many bad records.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "data/dataset.h"
#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/loader/loader.h"

namespace graticule {

class SampleSource {
 public:
  // What one thread needs to make samples, and the time it spent.
  struct Workspace {
    explicit Workspace(const AugmentOptions& augment) : cropper(augment) {}
    JpegDecoder decoder;
    Cropper cropper;
    std::vector<uint8_t> bytes;
    Image image;
    JpegInfo shown;
    std::vector<ResizePlan> plans;  // one per view
    double read_s = 0, decode_s = 0;
  };

  SampleSource(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);

  int64_t batches_per_epoch() const { return batches_; }
  int64_t epoch_samples() const { return epoch_samples_; }
  const Dataset& dataset() const { return *dataset_; }
  // The record that the order puts there, good or bad.
  int64_t RecordAt(int64_t epoch, int64_t position) const;
  // Writes options.views images to `images_VHWC` and returns the record they show; -1: none (a bad record in
  // evaluation), `images_VHWC` is then zero.
  int64_t Fill(int64_t epoch, int64_t position, Workspace& work, uint8_t* images_VHWC);
  std::vector<BadRecord> quarantine() const;  // the first 1,000
  int64_t bad_records() const;

 private:
  bool IsKnownBad(int64_t record) const;
  void Quarantine(int64_t record, const std::string& reason);
  // Reads and decodes what the views at this position need; false if the record is bad.
  bool Load(int64_t record, int64_t epoch, int64_t position, Workspace& work);
  // What becomes of the views at this position, for an image of this size.
  void Plan(int width, int height, int64_t epoch, int64_t position, Workspace& work) const;
  void Crop(Workspace& work, uint8_t* images_VHWC) const;

  std::shared_ptr<const Dataset> dataset_;
  LoaderOptions options_;
  int64_t epoch_samples_ = 0, batches_ = 0, max_bad_ = 0;
  mutable std::mutex mutex_;
  std::unordered_set<int64_t> bad_;
  int64_t unforeseen_ = 0;  // bad ones that the import did not mark as truncated: these max_bad limits
  std::vector<BadRecord> report_;
};

}  // namespace graticule
