// A sealed dataset: a folder with manifest.json and HDF5 shards, or several of them concatenated in the order
// given.
//
// Opening checks the manifest, the index's hash and each shard's size (exit code 3 naming the file
// otherwise); a shard's head hash is checked when it is first touched. Image bytes are read one record at a
// time and checked by CRC32C. With a stage, shards are read from their copies on the node's disk;
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

// A folder of the dataset. The records of its shards follow each other whether they are selected or not.
struct DatasetFolder {
  std::string path, name;
  std::string records_sha256;       // over its shards' hashes: a new split or layer leaves it as it is
  int64_t first = 0, size = 0;      // its selected records in the dataset
  std::vector<int64_t> shard_rows;  // records of each shard, selected or not
};

// Where a record lies.
struct RecordAddress {
  int64_t folder = 0, shard = 0;
  int64_t row = 0;  // of the shard
};

struct DatasetOptions {
  std::vector<std::string>
      split;         // keep records of these splits only ("train", "val", "near", "far"); empty: all
  double share = 1;  // keep this share of what is left, by a hash of each image (CRC-32C and length)
  bool without_images = false;  // keep records that have no image: places to build cells and galleries from
  bool keys = false;            // read what keys() gives: three numbers a record, from every shard
  std::string stage;  // folder of copies that StageFiles made; empty: shards are read where they are
};

// Thrown by ReadImage when the bytes of one record are bad (CRC): the loader quarantines and replaces it.
struct BadRecord {
  int64_t record;
  std::string reason;
  bool foreseen = false;  // known since the data was made: replaced, but no sign of decay
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  // folders: each holds a manifest.json. Throws Error(kData).
  static std::shared_ptr<const Dataset> Open(const std::vector<std::string>& folders,
                                             const DatasetOptions& options = {});

  virtual int64_t size() const = 0;                // N
  virtual LatLon place(int64_t record) const = 0;  // NaN when unknown
  // Copies; from the index and the enrichment alone. An enriched value stands where the source has none.
  virtual RecordMeta meta(int64_t record) const = 0;
  virtual RecordKeys keys(int64_t record) const = 0;  // all 0 unless DatasetOptions::keys asked for them
  // The source's own id. Reads the ids of a whole shard at first touch: for reports, not for training.
  virtual std::string id(int64_t record) const = 0;
  // What is written about the image (/text), "" where nothing is. Reads a shard's texts at first touch.
  virtual std::string text(int64_t) const { return ""; }
  virtual uint32_t image_bytes(int64_t record) const = 0;
  // Fills `out` with the JPEG bytes (resized as needed). Throws BadRecord on a CRC mismatch after one retry,
  // Error(kData) on I/O failure after three.
  virtual void ReadImage(int64_t record, std::vector<uint8_t>& out) const = 0;
  virtual RecordAddress Address(int64_t record) const = 0;
  // Asks storage for the images of these neighbours, without waiting.
  virtual void ReadAhead(int64_t first, int64_t count) const {}
  // Begins to bring what meta() will read into the CPU's caches.
  virtual void Prefetch(int64_t record) const {}
  // Shard file and index within it, for messages: "osv-00003.h5[1742]".
  virtual std::string Locate(int64_t record) const = 0;
  virtual std::vector<DatasetFolder> folders() const = 0;  // in the order they were named
  virtual std::string Sha256() const = 0;                  // over the manifests and the split selection
  // Fraction of records with a value in an /aux or /time column ("climate", "month", "elev_m", ...).
  virtual double Coverage(const std::string& column) const = 0;
};

}  // namespace graticule
