// The labels of every record as training sees them: the source's own columns out of the index, filled from
// the enrichment where a record has none, or replaced where `data enrich --replace` said so.
//
// A climate of 0 (the source's "no data") counts as none. Cheap to copy; immutable; any thread may read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "data/enrich/enrich_sidecar.h"
#include "data/shard/record_index.h"

namespace graticule {

class RecordLabels {
 public:
  RecordLabels() = default;
  // Opens the sidecar if the manifest names one. Error(kData).
  static RecordLabels Open(const std::string& folder, const Manifest& manifest, const RecordIndex& index);

  // kMissingU8, 0 and NaN as in the index.
  uint8_t climate(int64_t row) const;
  uint8_t drive_left(int64_t row) const;
  uint16_t country_iso(int64_t row) const;
  float aux(int64_t row, int k) const;  // kAuxColumns[k]

 private:
  RecordIndex index_;
  std::optional<EnrichSidecar> sidecar_;
  bool replace_climate_ = false, replace_drive_ = false, replace_country_ = false;
  bool replace_aux_[kAuxColumnCount] = {};
};

}  // namespace graticule
