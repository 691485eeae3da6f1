#include "data/synth/planet.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/synth/lands.h"
#include "data/synth/noise.h"

namespace graticule {
namespace {

constexpr double kKmPerDegree = 111.2;
// Cells per regional field; 100 cells of the sphere are about 2,250 km wide.
constexpr std::array<int, kRoadMarking> kFieldCells = {110, 90, 100, 90, 120, 130, 80};
// Streams of the planet's own generator, kept apart from those of the images by `epoch`.
enum Stream : uint64_t { kImages = 0, kTowns = 1, kFields = 2 };

LatLon Offset(LatLon from, double distance_km, double bearing_rad) {
  const double lat = from.lat_deg + distance_km * std::cos(bearing_rad) / kKmPerDegree;
  const double clipped = std::clamp(lat, -85.0, 85.0);
  const double shrink = std::max(0.1, std::cos(from.lat_deg * std::numbers::pi / 180));
  return Normalised({clipped, from.lon_deg + distance_km * std::sin(bearing_rad) / kKmPerDegree / shrink});
}

std::string InventName(Rng& rng) {
  static constexpr const char* kStart[] = {"Bar", "Cor", "Dal", "El", "Fen", "Gra", "Hol", "Is",  "Ka",
                                           "Lin", "Mar", "Nor", "Or", "Pal", "Ro",  "San", "Tor", "Ver"};
  static constexpr const char* kMiddle[] = {"a",  "an", "be", "do", "e",  "i",
                                            "ka", "le", "mi", "o",  "ri", "u"};
  static constexpr const char* kEnd[] = {"berg", "dale", "do", "ford", "gar",  "ka",
                                         "lia",  "mo",   "na", "ra",   "stad", "ville"};
  std::string name = kStart[rng.Below(std::size(kStart))];
  name += kMiddle[rng.Below(std::size(kMiddle))];
  if (rng.Uniform() < 0.3) name += kMiddle[rng.Below(std::size(kMiddle))];
  return name + kEnd[rng.Below(std::size(kEnd))];
}

// Köppen-Geiger in Beck's numbering, from annual figures only.
int ClimateCode(const PlaceFacts& f, bool dry_summer, bool dry_winter) {
  const double warm = f.tavg_c + f.tdiff_c / 2, cold = f.tavg_c - f.tdiff_c / 2;
  if (warm < 0) return 30;
  if (warm < 10) return 29;
  const double threshold = 20 * std::max(0.0, f.tavg_c) + 140;
  if (f.prec_mm < threshold) {
    const bool desert = f.prec_mm < threshold / 2;
    return (desert ? 4 : 6) + (f.tavg_c < 18);
  }
  if (cold >= 18) return f.prec_mm > 2200 ? 1 : f.prec_mm > 1600 ? 2 : 3;
  const int heat = warm >= 22 ? 0 : f.tavg_c > 3 ? 1 : 2;
  if (cold > 0) return (dry_summer ? 8 : dry_winter ? 11 : 14) + heat;
  const int bitter = cold < -38 ? 3 : heat;
  return (dry_summer ? 17 : dry_winter ? 21 : 25) + bitter;
}

}  // namespace

Planet::Planet(uint64_t seed) : seed_(seed) {
  FoundTowns();
  ScatterSeeds();
}

void Planet::FoundTowns() {
  Rng rng(seed_, {.epoch = kTowns, .purpose = Purpose::kSynth});
  double total = 0;
  for (const DemoLand& land : DemoLands()) {
    const int count = 4 + static_cast<int>(land.radius_km / 22);
    const double land_weight = std::pow(land.radius_km, 1.6);
    std::vector<std::string> regions;
    for (int i = 0; i < 3; ++i) regions.push_back(InventName(rng));
    double sum = 0;
    const size_t first = towns_.size();
    for (int i = 0; i < count; ++i) {
      Town town;
      town.name = InventName(rng);
      town.region = regions[rng.Below(regions.size())];
      town.district = InventName(rng);
      town.country = DemoCountryIndex(land.iso);
      town.place = Offset({land.lat_deg, land.lon_deg}, land.radius_km * std::sqrt(rng.Uniform()),
                          rng.Uniform(0, 2 * std::numbers::pi));
      town.weight = 1 / (1.5 + i);
      sum += town.weight;
      towns_.push_back(std::move(town));
    }
    for (size_t t = first; t < towns_.size(); ++t) towns_[t].weight *= land_weight / sum;
    total += land_weight;
  }
  double running = 0;
  for (Town& town : towns_) {
    town.weight /= total;
    cumulative_.push_back(running += town.weight);
  }
}

void Planet::ScatterSeeds() {
  for (int field = 0; field < kRoadMarking; ++field) {
    Rng rng(seed_, {.epoch = kFields, .index = static_cast<uint64_t>(field), .purpose = Purpose::kSynth});
    const int n = kFieldCells[field];
    const double turn = std::numbers::pi * (3 - std::sqrt(5.0)), phase = rng.Uniform(0, 7);
    for (int i = 0; i < n; ++i) {
      const double y = 1 - 2 * (i + 0.5) / n, r = std::sqrt(1 - y * y), a = turn * i + phase;
      const double jitter = 0.7 / std::sqrt(n);
      centres_[field].push_back({r * std::cos(a) + jitter * rng.Normal(),
                                 r * std::sin(a) + jitter * rng.Normal(), y + jitter * rng.Normal()});
      UnitVector& c = centres_[field].back();
      const double norm = std::sqrt(c.x * c.x + c.y * c.y + c.z * c.z);
      c = {c.x / norm, c.y / norm, c.z / norm};
      values_[field].push_back(static_cast<int>(rng.Below(kStyleValues[field])));
    }
  }
}

double Planet::Field(UnitVector v, double frequency, uint32_t salt) const {
  const double f = frequency;
  const auto s = static_cast<uint32_t>(MixBits(seed_ * 1315423911u + salt));
  const double low = SphereNoise(v.x * f + 31, v.y * f + 17, v.z * f + 5, s);
  const double high = SphereNoise(v.x * f * 2.3 + 3, v.y * f * 2.3 + 7, v.z * f * 2.3 + 11, s ^ 0x55u);
  return 0.7 * low + 0.3 * high;
}

void Planet::SetStyle(PlaceFacts* facts) const {
  const UnitVector v = ToUnitVector(facts->place);
  for (int field = 0; field < kRoadMarking; ++field) {
    double best = -2;
    for (size_t i = 0; i < centres_[field].size(); ++i) {
      const UnitVector& c = centres_[field][i];
      const double dot = c.x * v.x + c.y * v.y + c.z * v.z;
      if (dot > best) {
        best = dot;
        facts->style[field] = values_[field][i];
      }
    }
  }
  for (int field = kRoadMarking; field < kStyleFields; ++field) {
    const uint64_t h = MixBits(seed_ * 2654435761u + static_cast<uint64_t>(field * 1000 + facts->country));
    facts->style[field] = static_cast<int>(h % static_cast<uint64_t>(kStyleValues[field]));
  }
}

PlaceFacts Planet::FactsAt(LatLon place, int town) const {
  PlaceFacts f;
  f.place = place;
  f.town = town;
  f.country = towns_[town].country;
  f.drive_left = DemoCountries()[f.country].drive_left;
  const UnitVector v = ToUnitVector(place);
  const double latitude = std::abs(place.lat_deg);
  f.relief = std::pow(std::max(0.0, 2.0 * Field(v, 9, 1) - 0.75) / 1.25, 1.5);
  f.elev_m = std::round(15 + 300 * Field(v, 6, 2) + 3200 * f.relief);
  f.tavg_c = 27.5 - 0.0075 * latitude * latitude - 4.5 * f.elev_m / 1000 + 5 * (Field(v, 5, 3) - 0.5);
  f.tdiff_c = 2 + 0.6 * latitude * (0.35 + 0.9 * Field(v, 4, 4));
  const double rain =
      2300 * std::exp(-std::pow(latitude / 13, 2)) + 1000 * std::exp(-std::pow((latitude - 50) / 15, 2));
  f.prec_mm = std::round((rain + 180) * std::pow(4.0, 2 * Field(v, 6, 5) - 1));
  f.precdiff_mm = std::round(f.prec_mm / 12 * (0.3 + 2 * Field(v, 5, 6)));
  const bool dry_summer = Field(v, 4, 7) > 0.5 && latitude > 28 && latitude < 46;
  f.climate = ClimateCode(f, dry_summer, Field(v, 4, 8) > 0.55);
  const double distance = HaversineKm(place, towns_[town].place);
  const double size = std::sqrt(towns_[town].weight * 3000);
  f.urbanity = std::clamp(1.15 * std::exp(-distance / (9 + 10 * size)), 0.0, 1.0);
  f.popden_km2 = std::round(4 + 6000 * f.urbanity * f.urbanity * (0.4 + size));
  SetStyle(&f);
  return f;
}

PlaceFacts Planet::DrawPlace(Rng& rng) const {
  const double u = rng.Uniform();
  const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), u) - cumulative_.begin();
  const int town = static_cast<int>(std::min<int64_t>(at, static_cast<int64_t>(towns_.size()) - 1));
  const double scale_km = rng.Uniform() < 0.65 ? 7 : 45;
  const double distance = -scale_km * std::log(1 - rng.Uniform());
  const LatLon place = Offset(towns_[town].place, distance, rng.Uniform(0, 2 * std::numbers::pi));
  return FactsAt(place, town);
}

double Planet::MonthlyTemperature(const PlaceFacts& f, int month) {
  const double phase = std::cos(2 * std::numbers::pi * (month - 7) / 12);
  return f.tavg_c + (f.place.lat_deg >= 0 ? 1 : -1) * phase * f.tdiff_c / 2;
}

}  // namespace graticule
