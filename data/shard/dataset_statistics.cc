#include "data/shard/dataset_statistics.h"

#include <algorithm>
#include <cmath>

#include "data/shard/shard_reader.h"

namespace graticule {

void DatasetStatistics::Moments::Add(double value) {
  min = count == 0 ? value : std::min(min, value);
  max = count == 0 ? value : std::max(max, value);
  ++count;
  const double delta = value - mean;
  mean += delta / static_cast<double>(count);
  m2 += delta * (value - mean);
}

void DatasetStatistics::Add(const RecordRow& row) {
  for (const ColumnSpec& spec : graticule::Columns()) {
    if (row.IsMissing(spec.col)) continue;
    const int64_t bits = row.Int(spec.col);
    Moments& moments = moments_[static_cast<size_t>(spec.col)];
    if (IsFloat(spec.type))
      moments.Add(row.Float(spec.col));
    else if (spec.type == ColumnType::kU64)
      moments.Add(static_cast<double>(static_cast<uint64_t>(bits)));
    else
      moments.Add(static_cast<double>(bits));
  }
  constexpr double kNearKm = 25;
  std::optional<LatLon> place;
  if (!row.IsMissing(Col::kLat)) place = LatLon{row.Float(Col::kLat), row.Float(Col::kLon)};
  if (place && previous_) {
    ++neighbours_;
    near_neighbours_ += HaversineKm(*place, *previous_) < kNearKm;
  }
  previous_ = place;
}

std::map<std::string, ColumnStats> DatasetStatistics::Columns() const {
  std::map<std::string, ColumnStats> columns;
  for (const ColumnSpec& spec : graticule::Columns()) {
    const Moments& m = moments_[static_cast<size_t>(spec.col)];
    if (m.count == 0) continue;
    columns[spec.path] = {m.count, m.mean, std::sqrt(m.m2 / static_cast<double>(m.count)), m.min, m.max};
  }
  return columns;
}

double DatasetStatistics::ConsecutiveWithin25Km() const {
  return neighbours_ == 0 ? 0 : static_cast<double>(near_neighbours_) / static_cast<double>(neighbours_);
}

std::vector<RecordRow> ReadRows(const ShardReader& reader) {
  std::vector<RecordRow> rows(static_cast<size_t>(reader.size()));
  for (const ColumnSpec& spec : Columns()) {
    if (!reader.Has(spec.path)) continue;
    const std::vector<uint8_t> bytes = reader.ColumnBytes(spec.path);
    const size_t step = SizeOf(spec.type);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].Load(spec.col, bytes.data() + i * step);
  }
  return rows;
}

}  // namespace graticule
