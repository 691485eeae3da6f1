// A sealed dataset: a folder with manifest.json and HDF5 shards, or several of them concatenated in the order
// given.
//
// Opening checks the manifest, the index's hash and each shard's size (exit code 3 naming the file
// otherwise); a shard's head hash is checked when it is first touched. Image bytes are read one record at a
// time with pread and checked by CRC32C. With a stage, shards are read from their copies on the node's disk;
// what is missing or damaged there is read from the source instead, so that the records never depend on it.
// Immutable; all methods are thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/record.h"

namespace graticule {

struct DatasetOptions {
  std::vector<std::string>
      split;         // keep records of these splits only ("train", "val", "near", "far"); empty: all
  double share = 1;  // keep this share of what is left, by a hash of each image (CRC-32C and length)
  bool without_images = false;  // keep records that have no image: places to build cells and galleries from
  std::string stage;  // folder of copies that StageShards made; empty: shards are read where they are
};

// Thrown by ReadImage when the bytes of one record are bad (CRC): the loader quarantines and replaces it.
struct BadRecord {
  int64_t record;
  std::string reason;
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  // folders: each holds a manifest.json. Throws Error(kData).
  static std::shared_ptr<const Dataset> Open(const std::vector<std::string>& folders,
                                             const DatasetOptions& options = {});

  virtual int64_t size() const = 0;                   // N
  virtual LatLon place(int64_t record) const = 0;     // NaN when unknown
  virtual RecordMeta meta(int64_t record) const = 0;  // copies; from the mapped index alone
  // The source's own id. Reads the ids of a whole shard at first touch: for reports, not for training.
  virtual std::string id(int64_t record) const = 0;
  // What is written about the image (/text), "" where nothing is. Reads a shard's texts at first touch.
  virtual std::string text(int64_t) const { return ""; }
  virtual uint32_t image_bytes(int64_t record) const = 0;
  // Fills `out` with the JPEG bytes (resized as needed). Throws BadRecord on a CRC mismatch after one retry,
  // Error(kData) on I/O failure after three.
  virtual void ReadImage(int64_t record, std::vector<uint8_t>& out) const = 0;
  // Shard file and index within it, for messages: "osv-00003.h5[1742]".
  virtual std::string Locate(int64_t record) const = 0;
  virtual std::string Sha256() const = 0;  // over the manifests and the split selection
  // Fraction of records with a value in an /aux or /time column ("climate", "month", "elev_m", ...).
  virtual double Coverage(const std::string& column) const = 0;
};

}  // namespace graticule
