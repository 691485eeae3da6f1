// The countries of the demo planet: codes, driving sides and rough positions of real ones (so that importers,
// country tables and maps meet plausible input), with invented towns, climate, relief and building styles on
// top.
#pragma once

#include <span>
#include <string_view>

namespace graticule {

struct DemoCountry {
  const char* iso;   // ISO 3166-1 alpha-2
  const char* name;  // English
  const char* continent;
  bool drive_left;
};

// A disc of settled land.
struct DemoLand {
  const char* iso;
  double lat_deg, lon_deg, radius_km;
};

std::span<const DemoCountry> DemoCountries();
std::span<const DemoLand> DemoLands();
// Index into DemoCountries; the code must exist.
int DemoCountryIndex(std::string_view iso);

}  // namespace graticule
