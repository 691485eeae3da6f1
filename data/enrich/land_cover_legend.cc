#include "data/enrich/land_cover_legend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "base/error.h"
#include "base/text.h"

namespace graticule {
namespace {

// ESA WorldCover 2021 (v200).
constexpr auto kWorldCover = std::to_array<uint8_t>({10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100});
// Copernicus Global Land Service, 100 m, v3.0.1; 0 is "unknown".
constexpr auto kCgls = std::to_array<uint8_t>({0,   20,  30,  40,  50,  60,  70,  80,  90,  100, 111, 112,
                                               113, 114, 115, 116, 121, 122, 123, 124, 125, 126, 200});
// ESA CCI and C3S, the classes of the UN land cover classification system; 0 is "no data".
constexpr auto kLccs = std::to_array<uint8_t>(
    {0,   10,  11,  12,  20,  30,  40,  50,  60,  61,  62,  70,  71,  72,  80,  81,  82,  90,  100,
     110, 120, 121, 122, 130, 140, 150, 151, 152, 153, 160, 170, 180, 190, 200, 201, 202, 210, 220});
// FAO GLC-SHARE.
constexpr auto kGlcShare = std::to_array<uint8_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
// MODIS, classes of the International Geosphere-Biosphere Programme.
constexpr auto kIgbp = std::to_array<uint8_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});

struct Legend {
  const char* name;
  std::span<const uint8_t> codes;
};
const Legend kLegends[] = {{"worldcover-2021", kWorldCover},
                           {"cgls-lc100", kCgls},
                           {"cci-lccs", kLccs},
                           {"glc-share", kGlcShare},
                           {"modis-igbp", kIgbp}};

}  // namespace

std::vector<std::string> LandCoverLegends() {
  std::vector<std::string> names;
  for (const Legend& legend : kLegends) names.emplace_back(legend.name);
  return names;
}

std::span<const uint8_t> LandCoverCodes(std::string_view name) {
  for (const Legend& legend : kLegends) {
    if (legend.name == name) return legend.codes;
  }
  const std::string nearest = Nearest(name, LandCoverLegends());
  throw Error(ErrorCode::kUsage,
              fmt::format("unknown land-cover legend \"{}\"{}", Printable(name),
                          nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest)),
              "", fmt::format("Legends: {}.", fmt::join(LandCoverLegends(), ", ")));
}

}  // namespace graticule
