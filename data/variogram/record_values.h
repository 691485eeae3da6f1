// The records of a dataset that a semivariogram is made of: their places, what is compared between them, and
// the keys that pairs must not share.
//
// Values are rows of an embedding store (its first view), labels, or numbers. Records without a place or
// without a value are left out and counted. Of more than `most` records, as many are drawn, keyed by the
// seed. Embedding rows stay in their store and are read when asked for; the store and the dataset must not
// change. Throws Error(kData), with the file's name, for damaged files and when nothing is left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/embedding/embedding_store.h"
#include "geo/variogram/variogram_estimate.h"

namespace graticule {

struct SampleOptions {
  int64_t most = 0;  // records; 0: all
  uint64_t seed = 0;
  std::function<void(int64_t done, int64_t total)> progress;  // records looked at
};

struct RecordSample {
  std::vector<int64_t> records;  // ascending
  std::vector<LatLon> places;
  std::unique_ptr<const PairValues> values;
  std::vector<std::vector<uint64_t>> keys;       // by ExcludeSame, parallel to records
  int64_t without_place = 0, without_value = 0;  // of the records looked at

  EstimateInput Input() const;
};

RecordSample SampleEmbeddings(std::shared_ptr<const EmbeddingStore> store, const SampleOptions& options);
// name: "country", "climate" or "land_cover".
RecordSample SampleLabels(const Dataset& dataset, const std::string& name, const SampleOptions& options);
// column: one of kAuxColumns.
RecordSample SampleNumbers(const Dataset& dataset, const std::string& column, const SampleOptions& options);

// Adds keys: pairs of one "sequence" or one "author" are left out. The dataset must have been opened with its
// keys. Returns how many records have such a key.
int64_t ExcludeSame(const Dataset& dataset, const std::string& what, RecordSample& sample);

}  // namespace graticule
