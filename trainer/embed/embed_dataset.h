// Runs a frozen tower over every record of a dataset folder and keeps its outputs: an embedding store
// (data/embedding/embedding_store.h).
//
// All records are embedded, whatever their split; those without a readable image stay invalid. Ranks take
// shards in turn and each part is sealed by its rename: repeating the call under the same plan goes on with
// the parts that are missing, on any number of ranks. A folder of another plan is refused with Error(kUsage).
#pragma once

#include <cstdint>
#include <string>

#include "data/embedding/embedding_manifest.h"
#include "models/vision_tower.h"
#include "trainer/comm/world.h"

namespace graticule {

struct EmbedOptions {
  std::string dataset, out;             // folders
  std::string output = "image_embeds";  // one of TowerOutputs()
  std::string precision = "fp32";       // the tower has been set to it already
  SafeDType dtype = SafeDType::kF16;    // of the rows
  AugmentOptions augment;               // decides the views: draws of random crops, ten crops, one centre
  int64_t draws = 1;                    // of kind random_resized_crop
  uint64_t seed = 0;                    // of the draws
  int64_t batch = 32;                   // images per forward pass
  int threads = 0;                      // decoding; 0: CPUs of the affinity mask
  bool quiet = false;
};

// Collective; the manifest on all ranks. Throws Error(kData) for numbers that the type of the rows cannot
// hold.
EmbeddingManifest EmbedDatasetCollective(VisionTower& tower, const EmbedOptions& options, World& world);

}  // namespace graticule
