#include "data/synth/demo_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <memory>
#include <vector>

#include "data/synth/lands.h"
#include "data/synth/noise.h"
#include "geo/cell_table.h"

namespace graticule {
namespace {

constexpr int kBins = 99;

struct Range {
  double lo = 1e9, hi = -1e9;
  void Add(double x) { lo = std::min(lo, x), hi = std::max(hi, x); }
  int Bin(double x) const {
    return hi > lo ? std::min(kBins - 1, static_cast<int>((x - lo) / (hi - lo) * kBins)) : 0;
  }
};

std::string Missing(const std::string& text) { return text.empty() ? "NaN" : text; }

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// One quadtree per column quadtree_10_<images>, in the order of the columns.
using Quadtrees = std::vector<std::shared_ptr<const CellTable>>;

Quadtrees BuildQuadtrees(std::span<const DemoPhoto> photos) {
  std::vector<LatLon> places;
  for (const DemoPhoto& p : photos) places.push_back(p.facts.place);
  Quadtrees trees;
  for (const int64_t images : {5000, 25000, 1000, 50000, 12500, 500, 2500})
    trees.push_back(BuildQuadtreeCells(places, {.max_images = images, .depth = 10}));
  return trees;
}

void AppendOsv5mRow(const Planet& planet, const DemoPhoto& p, const Range& lat, const Range& lon,
                    const Quadtrees& quadtrees, std::string* csv) {
  const Town& town = planet.towns()[p.facts.town];
  const DemoCountry& country = DemoCountries()[p.facts.country];
  const uint64_t h = MixBits(p.index + 0x51ED270B);
  const int lon_bin = lon.Bin(p.facts.place.lon_deg), lat_bin = lat.Bin(p.facts.place.lat_deg);
  // Some places have no second-level district, as in the original.
  const std::string district = h % 4 == 0 ? "" : town.district + " District";
  auto out = std::back_inserter(*csv);
  fmt::format_to(out, "{},{:.12f},{:.12f},https://example.invalid/{}.jpg,{},{:016x},{},", p.id,
                 p.facts.place.lat_deg, p.facts.place.lon_deg, p.id, country.iso, MixBits(h), p.captured_ms);
  fmt::format_to(out, "{},{},\"({}, {})\",{},{},{},", lon_bin, lat_bin, lon_bin, lat_bin, town.region,
                 district, town.name);
  fmt::format_to(out, "{}.0,{:.6f},{}.0,{}.0,{}.0,{:.6f},", p.facts.climate % 12, 1 + 6 * p.facts.urbanity,
                 p.facts.drive_left ? 1 : 0, p.facts.climate, p.facts.climate % 14,
                 0.01 + 3 * p.facts.relief);
  for (const auto& tree : quadtrees) fmt::format_to(out, "{},", tree->CellOf(p.facts.place).value());
  fmt::format_to(out, "{}_{},{},{}_{}_{}_{},{},demo_{},{}.0\n", town.region, country.iso,
                 district.empty() ? "" : fmt::format("{}_{}_{}", district, town.region, country.iso),
                 town.name, Missing(district), town.region, country.iso, country.iso, h % 997,
                 100000 + h % 997);
}

}  // namespace

std::string Osv5mCsv(const Planet& planet, std::span<const DemoPhoto> photos) {
  std::string csv =
      "id,latitude,longitude,thumb_original_url,country,sequence,captured_at,lon_bin,lat_bin,cell,region,sub-"
      "region,city,"
      "land_cover,road_index,drive_side,climate,soil,dist_sea,quadtree_10_5000,quadtree_10_25000,quadtree_10_"
      "1000,"
      "quadtree_10_50000,quadtree_10_12500,quadtree_10_500,quadtree_10_2500,unique_region,unique_sub-region,"
      "unique_city,"
      "unique_country,creator_username,creator_id\n";
  Range lat, lon;
  for (const DemoPhoto& p : photos) lat.Add(p.facts.place.lat_deg), lon.Add(p.facts.place.lon_deg);
  const Quadtrees quadtrees = BuildQuadtrees(photos);
  for (const DemoPhoto& p : photos) AppendOsv5mRow(planet, p, lat, lon, quadtrees, &csv);
  return csv;
}

std::string Mp16Csv(const Planet& planet, std::span<const DemoPhoto> photos, bool slashes) {
  std::string csv =
      "IMG_ID,AUTHOR,LAT,LON,S3_Label,S16_Label,S365_Label,Prob_indoor,Prob_natural,Prob_urban,neighbourhood,"
      "city,county,"
      "state,region,country,country_code,continent\n";
  for (const DemoPhoto& p : photos) {
    const Town& town = planet.towns()[p.facts.town];
    const DemoCountry& country = DemoCountries()[p.facts.country];
    std::string id = p.id;
    if (slashes) id[2] = id[5] = '/';
    const uint64_t h = MixBits(p.index);
    const double urban = 0.05 + 0.9 * p.facts.urbanity;
    fmt::format_to(std::back_inserter(csv),
                   "{},{}@N0{},{:.6f},{:.6f},{},{},{},{:.4f},{:.4f},{:.4f},,{},{} County,{},,{},{},\n", id,
                   10'000'000 + h % 3000, h % 8, p.facts.place.lat_deg, p.facts.place.lon_deg,
                   urban > 0.5 ? 2 : 1, h % 16, h % 365, 0.02, 0.98 - urban, urban, town.name, town.district,
                   town.region, country.name, LowerCase(country.iso));
  }
  return csv;
}

std::string ExtraCsv(std::span<const DemoPhoto> photos) {
  std::string csv = "id,month,climate,drive_left,elev_m,popden_km2,tavg_c,tdiff_c,prec_mm,precdiff_mm\n";
  for (const DemoPhoto& p : photos) {
    fmt::format_to(std::back_inserter(csv), "{},{},{},{},{:.0f},{:.0f},{:.2f},{:.2f},{:.0f},{:.0f}\n", p.id,
                   p.month, p.facts.climate, p.facts.drive_left ? 1 : 0, p.facts.elev_m, p.facts.popden_km2,
                   p.facts.tavg_c, p.facts.tdiff_c, p.facts.prec_mm, p.facts.precdiff_mm);
  }
  return csv;
}

}  // namespace graticule
