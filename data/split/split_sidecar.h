// split-<hash>.safetensors: one label per record, beside the shards and row-aligned with them, named in the
// manifest with its hash.
//
// Tensor `label` u8 [N]; metadata `labels` is a JSON list of names, index = value; `method` says how they
// were chosen. Without a sidecar every record has the manifest's own split as its label; "all", of imports
// that know of no splits, serves as "train" too. Plain functions; Error(kData) on mismatch.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/fs.h"
#include "data/shard/manifest.h"

namespace graticule {

struct SplitLabels {
  std::vector<std::string> names;               // by value
  std::vector<uint8_t> label;                   // [N]
  std::map<std::string, std::string> metadata;  // written as is, "method" among them
};

// Checks the hash and the shape against the manifest, which must name a sidecar.
SplitLabels ReadSplit(const std::string& folder, const Manifest& manifest);
// Writes the sidecar and the manifest that names it, in this order, both atomically. Returns the sidecar's
// path.
std::string WriteSplit(FileSystem& fs, const std::string& folder, Manifest manifest,
                       const SplitLabels& labels);
// The names that SelectSplit takes, beside "train" for an undivided dataset.
std::vector<std::string> SplitNames(const std::string& folder, const Manifest& manifest);
// Rows whose label is among `wanted`, ascending. Throws Error(kUsage) for a name that the dataset does not
// have.
std::vector<uint32_t> SelectSplit(const std::string& folder, const Manifest& manifest,
                                  const std::vector<std::string>& wanted);

}  // namespace graticule
