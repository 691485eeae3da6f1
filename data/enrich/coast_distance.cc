#include "data/enrich/coast_distance.h"

#include <ogrsf_frmts.h>

#include <iterator>
#include <limits>

#include "base/error.h"
#include "data/enrich/parallel.h"
#include "data/enrich/vector_file.h"
#include "geo/line_index.h"

namespace graticule {

std::vector<float> CoastDistancesKm(const std::string& path, std::span<const LatLon> places, int threads,
                                    const std::function<void(int64_t done)>& progress) {
  std::vector<std::vector<LatLon>> lines;
  ForEachFeature(path, {}, [&](const OGRFeature& feature) {
    std::vector<std::vector<LatLon>> more = OutlinesOf(*feature.GetGeometryRef(), path);
    lines.insert(lines.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  });
  if (lines.empty()) throw Error(ErrorCode::kData, "holds no line", path);
  const LineIndex coast(lines);
  std::vector<float> km(places.size(), std::numeric_limits<float>::quiet_NaN());
  RunInParts(threads, places.size(), progress, [&](size_t from, size_t to, const PartDone& done) {
    for (size_t i = from; i < to; ++i) {
      if (IsValid(places[i])) km[i] = static_cast<float>(coast.Nearest(places[i]).km);
      if (i % 256 == 255) done(256);
    }
  });
  return km;
}

}  // namespace graticule
