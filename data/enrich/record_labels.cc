#include "data/enrich/record_labels.h"

#include <cmath>

namespace graticule {
namespace {

// known tells a value from its sentinel. `layer` may be empty.
template <typename T, typename Known>
T Pick(T own, std::span<const T> layer, int64_t row, bool replace, const Known& known) {
  if (layer.empty() || (known(own) && !replace)) return own;
  const T value = layer[static_cast<size_t>(row)];
  return known(value) ? value : own;
}

}  // namespace

RecordLabels RecordLabels::Open(const std::string& folder, const Manifest& manifest,
                                const RecordIndex& index) {
  RecordLabels labels;
  labels.index_ = index;
  if (!manifest.enrich_sidecar) return labels;
  labels.sidecar_ = EnrichSidecar::Open(folder, manifest);
  const auto replace = [&](const char* name) {
    const auto found = labels.sidecar_->columns.find(name);
    return found != labels.sidecar_->columns.end() && found->second.replace;
  };
  labels.replace_climate_ = replace("climate");
  labels.replace_drive_ = replace("drive_left");
  labels.replace_country_ = replace("country_iso");
  for (int k = 0; k < kAuxColumnCount; ++k) labels.replace_aux_[k] = replace(kAuxColumns[k]);
  return labels;
}

uint8_t RecordLabels::climate(int64_t row) const {
  const uint8_t own = index_.climate[row];
  if (!sidecar_) return own;
  return Pick(own, sidecar_->climate, row, replace_climate_,
              [](uint8_t v) { return v != 0 && v != kMissingU8; });
}

uint8_t RecordLabels::drive_left(int64_t row) const {
  const uint8_t own = index_.drive_left[row];
  if (!sidecar_) return own;
  return Pick(own, sidecar_->drive_left, row, replace_drive_, [](uint8_t v) { return v != kMissingU8; });
}

uint16_t RecordLabels::country_iso(int64_t row) const {
  const uint16_t own = index_.country_iso[row];
  if (!sidecar_) return own;
  return Pick(own, sidecar_->country_iso, row, replace_country_, [](uint16_t v) { return v != 0; });
}

float RecordLabels::aux(int64_t row, int k) const {
  const float own = index_.aux[row * kAuxColumnCount + k];
  if (!sidecar_) return own;
  return Pick(own, sidecar_->aux[k], row, replace_aux_[k], [](float v) { return !std::isnan(v); });
}

}  // namespace graticule
