#include "trainer/eval/geojson.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"

namespace graticule {

std::string ToGeoJson(std::span<const PhotoGuesses> photos, const char* row, double near_km) {
  using Json = nlohmann::ordered_json;
  Json features = Json::array();
  for (const PhotoGuesses& photo : photos) {
    for (size_t rank = 0; rank < photo.guesses.size(); ++rank) {
      const PlaceGuess& guess = photo.guesses[rank];
      if (!IsValid(guess.place)) {
        throw Error(ErrorCode::kNumerics,
                    fmt::format("predicted ({}, {}); expected a place in degrees", guess.place.lat_deg,
                                guess.place.lon_deg),
                    photo.photo, "The model's outputs are not finite, or in other units.");
      }
      const LatLon place = Normalised(guess.place);
      features.push_back(
          {{"type", "Feature"},
           {"geometry", {{"type", "Point"}, {"coordinates", Json::array({place.lon_deg, place.lat_deg})}}},
           {"properties",
            {{"photo", photo.photo},
             {"rank", rank},
             {"probability", guess.probability},
             {"near_probability", guess.near_probability},
             {"near_km", near_km},
             {row, guess.cell}}}});
    }
  }
  const Json collection = {{"type", "FeatureCollection"}, {"features", std::move(features)}};
  // File names may hold bytes that are not UTF-8; the rest of the file must stay readable.
  return JsonText(collection, 1) + "\n";
}

}  // namespace graticule
