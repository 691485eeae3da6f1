// World maps as SVG in the Equal Earth projection, with a graticule, regions, points and a colour legend.
//
// There is no coastline: the data draw the land. Regions may cross the antimeridian or hold a pole; they are
// cut at the edge of the map. Degrees in, pixels out. Drawing order is the order of calls. Not thread-safe.
// Cannot fail: invalid places are skipped.
//
//   WorldMap map({.title = "Geocells", .subtitle = "312 cells"});
//   map.Region(table->Rings(row, 8), QuantityRamp().At(t), "cell 17");
//   map.LogLegend("images per cell", QuantityRamp(), 50, 2000);
//   std::string svg = map.str();
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "geo/latlon.h"
#include "geo/svg.h"
#include "geo/wkt.h"

namespace graticule {

struct MapOptions {
  std::string title, subtitle;
  double width = 1200;  // px; the height follows
};

class WorldMap {
 public:
  explicit WorldMap(const MapOptions& options);

  // A region by its rings (even-odd rule); each is open (the last point is joined to the first) and follows
  // its edges closely.
  void Region(std::span<const Ring> rings, const std::string& fill, std::string_view tooltip = "");
  void Point(LatLon at, double radius, const std::string& fill, std::string_view tooltip = "");
  // A great circle, cut at the antimeridian.
  void Arc(LatLon from, LatLon to, const std::string& stroke, double opacity);
  // A colour bar below the map; ticks at 1, 2, 5 of each decade that fits.
  void LogLegend(std::string_view label, const ColourRamp& ramp, double low, double high);

  std::string str() const { return svg_.str(); }

 private:
  SvgPoint Project(double lat_deg, double lon_deg) const;
  void DrawGraticule();

  double map_top_, scale_;
  SvgDocument svg_;
};

// Position of `value` on a logarithmic scale from low to high, clamped to [0, 1].
double LogPosition(double value, double low, double high);

}  // namespace graticule
