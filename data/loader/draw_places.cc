#include "data/loader/draw_places.h"

#include "base/error.h"
#include "data/loader/order.h"

namespace graticule {

std::vector<LatLon> PlacesOf(const Dataset& dataset) {
  std::vector<LatLon> places;
  for (int64_t record = 0; record < dataset.size(); ++record) {
    const LatLon p = dataset.place(record);
    if (IsValid(p)) places.push_back(p);
  }
  return places;
}

std::vector<LatLon> DrawPlaces(const std::vector<LatLon>& places, int64_t size, uint64_t seed) {
  const int64_t known = std::ssize(places);
  GRATICULE_CHECK(size >= 0 && size <= known);
  std::vector<LatLon> drawn;
  if (known == 0) return drawn;
  const KeyedOrder order(known, seed, 0);
  for (int64_t i = 0; i < (size == 0 ? known : size); ++i) drawn.push_back(places[order.At(i)]);
  return drawn;
}

}  // namespace graticule
