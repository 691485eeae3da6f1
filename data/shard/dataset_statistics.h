// What a manifest says of a dataset's columns and of the order of its records: one pass over the records, in
// their order.
//
// One thread. Sums run by Welford's rule, so that the same records give the same numbers wherever they are
// added up: an import, one that went on after a stop, and `data verify`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/shard/columns.h"
#include "data/shard/manifest.h"
#include "geo/latlon.h"

namespace graticule {

class ShardReader;

class DatasetStatistics {
 public:
  void Add(const RecordRow& row);
  // By column path; columns without a value are left out.
  std::map<std::string, ColumnStats> Columns() const;
  // Share of neighbours in order that both have a place and lie closer than 25 km.
  double ConsecutiveWithin25Km() const;

 private:
  struct Moments {
    int64_t count = 0;
    double mean = 0, m2 = 0, min = 0, max = 0;
    void Add(double value);
  };
  Moments moments_[kColCount];
  int64_t neighbours_ = 0, near_neighbours_ = 0;
  std::optional<LatLon> previous_;
};

// The columns of a sealed shard, record by record. Throws what reading a column throws.
std::vector<RecordRow> ReadRows(const ShardReader& reader);

}  // namespace graticule
