// Checks a dataset folder from the manifest down to the header of every image.
//
// Per file: size and SHA-256. Per shard: HDF5 profile, schema, checksum of every column. Per record: CRC-32C
// of the image, a JPEG header that agrees with the stored size, and agreement of the index with the shard. Of
// the whole: the manifest's statistics, added up anew.
// Goes on after a problem, so that one run lists them all. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/shard/manifest.h"

namespace graticule {

struct VerifyOptions {
  bool images = true;   // read every image
  bool hashes = true;   // SHA-256 of whole files
  bool decode = false;  // decode every image, as training will
  std::function<void(int64_t done, int64_t total)> progress;
};

struct VerifyResult {
  int64_t shards = 0, records = 0;
  int64_t images = 0;  // read, good or not
  uint64_t bytes = 0;
  int64_t truncated = 0;  // images that the import found cut short and kept: no problem, but never trained on
  int64_t problem_count = 0;
  std::vector<std::string> problems;  // the first 50
  bool good() const { return problem_count == 0; }
};

// Whether each file that the manifest names is there with its size: what can be told at once. One line per
// problem.
std::vector<std::string> MissingFiles(const std::string& folder, const Manifest& manifest);

// Throws only when there is no readable manifest, as ReadManifest does.
VerifyResult VerifyDataset(const std::string& folder, const VerifyOptions& options = {});

}  // namespace graticule
