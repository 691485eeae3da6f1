#include "geo/svg_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace graticule {
namespace {

constexpr double kMargin = 28, kHeader = 74, kFooter = 74;
constexpr double kRadians = std::numbers::pi / 180;
constexpr double kPoleDeg = 89.9999999;

// Equal Earth (Savric, Patterson, Jenny 2019), unit sphere.
SvgPoint EqualEarth(double lat_deg, double lon_deg) {
  constexpr double a1 = 1.340264, a2 = -0.081106, a3 = 0.000893, a4 = 0.003796;
  const double t = std::asin(std::numbers::sqrt3 / 2 * std::sin(lat_deg * kRadians));
  const double t2 = t * t, t6 = t2 * t2 * t2;
  const double slope = a1 + 3 * a2 * t2 + t6 * (7 * a3 + 9 * a4 * t2);
  return {2 * std::numbers::sqrt3 * lon_deg * kRadians * std::cos(t) / (3 * slope),
          t * (a1 + a2 * t2 + t6 * (a3 + a4 * t2))};
}

double HalfWidth() { return EqualEarth(0, 180).x; }
double HalfHeight() { return EqualEarth(90, 0).y; }

// Longitudes made continuous along the ring. A vertex on a pole has no longitude: it is drawn as a stretch of
// the map's edge between its neighbours. A ring that winds around a pole is closed along the edge too.
std::vector<LatLon> Unwrapped(std::span<const LatLon> ring) {
  std::vector<LatLon> out;
  double previous = 0;
  bool started = false, pending_pole = false;
  double pole_lat = 0;
  const size_t n = ring.size();
  size_t first = 0;
  while (first < n && std::abs(ring[first].lat_deg) > kPoleDeg) ++first;
  for (size_t k = 0; k <= n && first < n; ++k) {  // comes back to the start, to see the winding
    const LatLon p = ring[(first + k) % n];
    if (std::abs(p.lat_deg) > kPoleDeg) {
      pending_pole = true;
      pole_lat = p.lat_deg > 0 ? 90 : -90;
      continue;
    }
    const double lon = started ? previous + std::remainder(p.lon_deg - previous, 360.0) : p.lon_deg;
    if (pending_pole) {
      out.push_back({pole_lat, previous});
      out.push_back({pole_lat, lon});
      pending_pole = false;
    }
    out.push_back({p.lat_deg, lon});
    previous = lon;
    started = true;
  }
  if (out.size() < 2) return {};
  if (std::abs(out.back().lon_deg - out.front().lon_deg) > 180) {
    const double pole = out.front().lat_deg > 0 ? 90 : -90;
    const double start = out.front().lon_deg;
    out.push_back({pole, out.back().lon_deg});
    out.push_back({pole, start});
  } else {
    out.pop_back();
  }
  return out;
}

// Sutherland-Hodgman against one meridian; keeps the side where sign * (lon - at) >= 0.
std::vector<LatLon> Clipped(const std::vector<LatLon>& ring, double at, double sign) {
  std::vector<LatLon> out;
  for (size_t i = 0; i < ring.size(); ++i) {
    const LatLon a = ring[i], b = ring[(i + 1) % ring.size()];
    const bool in_a = sign * (a.lon_deg - at) >= 0, in_b = sign * (b.lon_deg - at) >= 0;
    if (in_a) out.push_back(a);
    if (in_a != in_b) {
      const double t = (at - a.lon_deg) / (b.lon_deg - a.lon_deg);
      out.push_back({a.lat_deg + t * (b.lat_deg - a.lat_deg), at});
    }
  }
  return out;
}

// Adds points along edges that are long in longitude or latitude, so that they bend with the projection.
std::vector<LatLon> Densified(const std::vector<LatLon>& ring) {
  constexpr double kStepDeg = 4;
  std::vector<LatLon> out;
  for (size_t i = 0; i < ring.size(); ++i) {
    const LatLon a = ring[i], b = ring[(i + 1) % ring.size()];
    const double span = std::max(std::abs(b.lat_deg - a.lat_deg), std::abs(b.lon_deg - a.lon_deg));
    const int parts = std::max(1, static_cast<int>(std::ceil(span / kStepDeg)));
    for (int k = 0; k < parts; ++k) {
      const double t = static_cast<double>(k) / parts;
      out.push_back({a.lat_deg + t * (b.lat_deg - a.lat_deg), a.lon_deg + t * (b.lon_deg - a.lon_deg)});
    }
  }
  return out;
}

}  // namespace

double LogPosition(double value, double low, double high) {
  if (!(value > low)) return 0;
  return std::min(1.0, std::log(value / low) / std::log(high / low));
}

WorldMap::WorldMap(const MapOptions& o)
    : map_top_(kHeader),
      scale_((o.width - 2 * kMargin) / (2 * HalfWidth())),
      svg_(o.width, std::ceil(kHeader + kFooter + 2 * HalfHeight() * scale_), o.title) {
  svg_.Text({kMargin, 34}, o.title, {.size = 20, .colour = ink::kText, .bold = true});
  svg_.Text({kMargin, 56}, o.subtitle, {.size = 13, .colour = ink::kMuted});
  DrawGraticule();
}

SvgPoint WorldMap::Project(double lat_deg, double lon_deg) const {
  const SvgPoint p = EqualEarth(lat_deg, lon_deg);
  return {kMargin + (p.x + HalfWidth()) * scale_, map_top_ + (HalfHeight() - p.y) * scale_};
}

void WorldMap::DrawGraticule() {
  std::vector<std::vector<SvgPoint>> rings(1);
  std::vector<SvgPoint>& edge = rings[0];
  for (int lat = -90; lat <= 90; lat += 2) edge.push_back(Project(lat, 180));
  for (int lat = 90; lat >= -90; lat -= 2) edge.push_back(Project(lat, -180));
  svg_.Polygon(rings, {.fill = ink::kSphere, .stroke = ink::kLine, .stroke_width = 1});
  for (int lon = -150; lon <= 150; lon += 30) {
    std::vector<SvgPoint> meridian;
    for (int lat = -90; lat <= 90; lat += 2) meridian.push_back(Project(lat, lon));
    svg_.Polyline(meridian, {.stroke = ink::kGrid, .stroke_width = lon == 0 ? 1.4 : 0.8});
  }
  for (int lat = -60; lat <= 60; lat += 30) {
    svg_.Line(Project(lat, -180), Project(lat, 180),
              {.stroke = ink::kGrid, .stroke_width = lat == 0 ? 1.4 : 0.8});
    const std::string label = lat == 0 ? "0°" : fmt::format("{}°{}", std::abs(lat), lat > 0 ? "N" : "S");
    const SvgPoint at = Project(lat, -180);
    svg_.Text({at.x - 5, at.y + 3.5}, label, {.size = 10, .anchor = "end", .colour = ink::kMuted});
  }
  for (int lon = -120; lon <= 120; lon += 60) {
    const std::string label = lon == 0 ? "0°" : fmt::format("{}°{}", std::abs(lon), lon > 0 ? "E" : "W");
    const SvgPoint at = Project(-90, lon);
    svg_.Text({at.x, at.y + 14}, label, {.size = 10, .anchor = "middle", .colour = ink::kMuted});
  }
}

void WorldMap::Region(std::span<const Ring> rings, const std::string& fill, std::string_view tooltip) {
  std::vector<Ring> unwrapped;
  for (const Ring& ring : rings) unwrapped.push_back(Unwrapped(ring));
  for (const double shift : {-360.0, 0.0, 360.0}) {
    std::vector<std::vector<SvgPoint>> drawn;
    for (Ring part : unwrapped) {
      for (LatLon& p : part) p.lon_deg += shift;
      part = Densified(Clipped(Clipped(part, -180, 1), 180, -1));
      if (part.size() < 3) continue;
      std::vector<SvgPoint>& points = drawn.emplace_back();
      for (LatLon p : part) points.push_back(Project(p.lat_deg, p.lon_deg));
    }
    svg_.Polygon(drawn, {.fill = fill, .stroke = ink::kPaper, .stroke_width = 0.5}, tooltip);
  }
}

void WorldMap::Point(LatLon at, double radius, const std::string& fill, std::string_view tooltip) {
  if (!IsValid(at)) return;
  at = Normalised(at);
  svg_.Circle(Project(at.lat_deg, at.lon_deg), radius,
              {.fill = fill, .stroke = ink::kPaper, .stroke_width = 0.4}, tooltip);
}

void WorldMap::Arc(LatLon from, LatLon to, const std::string& stroke, double opacity) {
  if (!IsValid(from) || !IsValid(to)) return;
  constexpr int kSteps = 48;
  const UnitVector a = ToUnitVector(from), b = ToUnitVector(to);
  const double angle = HaversineKm(from, to, 1.0);
  if (angle < 1e-9 || angle > std::numbers::pi - 1e-6) return;  // antipodes: no single great circle
  std::vector<SvgPoint> line;
  double previous_lon = 0;
  const SvgStyle style{.stroke = stroke, .stroke_width = 0.7, .opacity = opacity};
  for (int i = 0; i <= kSteps; ++i) {
    const double t = static_cast<double>(i) / kSteps;
    const double wa = std::sin((1 - t) * angle), wb = std::sin(t * angle);
    const LatLon p = ToLatLon({wa * a.x + wb * b.x, wa * a.y + wb * b.y, wa * a.z + wb * b.z});
    if (i > 0 && std::abs(p.lon_deg - previous_lon) > 180) {
      svg_.Polyline(line, style);
      line.clear();
    }
    line.push_back(Project(p.lat_deg, p.lon_deg));
    previous_lon = p.lon_deg;
  }
  svg_.Polyline(line, style);
}

void WorldMap::LogLegend(std::string_view label, const ColourRamp& ramp, double low, double high) {
  constexpr double kWidth = 300, kHeight = 10;
  const double x = svg_.width() - kMargin - kWidth, y = svg_.height() - 36;
  svg_.Text({x - 12, y + 9}, label, {.size = 12, .anchor = "end", .colour = ink::kText});
  svg_.ColourBar(x, y, kWidth, kHeight, ramp);
  double last_x = -1e9;
  for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * decade;
      const double at = x + kWidth * LogPosition(value, low, high);
      if (value < low * 0.999 || value > high * 1.001 || at - last_x < 34) continue;
      svg_.Line({at, y + kHeight}, {at, y + kHeight + 3}, {.stroke = ink::kLine});
      svg_.Text({at, y + kHeight + 15}, ShortNumber(value),
                {.size = 10, .anchor = "middle", .colour = ink::kMuted});
      last_x = at;
    }
  }
}

}  // namespace graticule
