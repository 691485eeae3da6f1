// Predicted places as a GeoJSON FeatureCollection (RFC 7946): one Point per guess, positions as [lon, lat].
//
// Properties: photo, rank (0 = best), probability, near_probability (of all places within near_km), near_km,
// and the answer's number under the name `row`, "cell" or (of a gallery) "place". Guesses that are not places
// are an Error(kNumerics). Torch-free, pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

struct PlaceGuess {
  LatLon place;
  int64_t cell = -1;
  double probability = 0;
  double near_probability = 0;  // of all places near this one
};

struct PhotoGuesses {
  std::string photo;                // file name as the user gave it
  std::vector<PlaceGuess> guesses;  // best first
};

std::string ToGeoJson(std::span<const PhotoGuesses> photos, const char* row, double near_km);

}  // namespace graticule
