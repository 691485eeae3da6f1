// The demo planet: where its towns are, and what is true at a place (climate, relief, driving side, building
// style).
//
// Building style is a handful of fields, each a Voronoi diagram of the sphere with cells some 2,000 km wide
// and few values. No single field says where one is; where several are visible at once they narrow it to a
// region of about 500 km. Every field also holds in places no training image shows, so a model can locate
// towns it never saw.
//
// Immutable after construction, a pure function of the seed, thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "geo/latlon.h"

namespace graticule {

// What buildings and street furniture look like; values are indices below kStyleValues.
enum StyleField : int {
  kFacadePattern,
  kFacadeHues,
  kRoofShape,
  kWindowShape,
  kFenceKind,
  kPoleKind,
  kPaving,  // by region
  kRoadMarking,
  kPlateKind,
  kSignShape,  // by country
  kStyleFields,
};
inline constexpr std::array<int, kStyleFields> kStyleValues = {8, 6, 6, 4, 6, 6, 6, 6, 4, 5};

struct Town {
  std::string name, region, district;
  int country = 0;  // index into DemoCountries
  LatLon place;
  double weight = 0;  // share of all photos; sums to 1
};

struct PlaceFacts {
  LatLon place;
  int town = 0;
  int country = 0;
  bool drive_left = false;
  double elev_m = 0, relief = 0;        // relief: 0 flat .. 1 alpine
  double tavg_c = 0, tdiff_c = 0;       // annual mean; warmest minus coldest month
  double prec_mm = 0, precdiff_mm = 0;  // annual sum; wettest minus driest month
  double popden_km2 = 0;
  int climate = 0;      // Beck code 1..30
  double urbanity = 0;  // 0 fields .. 1 town centre
  std::array<int, kStyleFields> style{};
};

class Planet {
 public:
  explicit Planet(uint64_t seed);

  const std::vector<Town>& towns() const { return towns_; }
  // A place where somebody took a photo: a town by weight, then a distance from its centre.
  PlaceFacts DrawPlace(Rng& rng) const;
  PlaceFacts FactsAt(LatLon place, int town) const;
  // Mean temperature of a month 1..12 at the place.
  static double MonthlyTemperature(const PlaceFacts& facts, int month);

 private:
  void FoundTowns();
  void ScatterSeeds();
  void SetStyle(PlaceFacts* facts) const;
  double Field(UnitVector v, double frequency, uint32_t salt) const;  // smooth noise in [0, 1)

  uint64_t seed_;
  std::vector<Town> towns_;
  std::vector<double> cumulative_;                             // of town weights
  std::array<std::vector<UnitVector>, kRoadMarking> centres_;  // Voronoi seeds of the regional fields
  std::array<std::vector<int>, kRoadMarking> values_;
};

}  // namespace graticule
