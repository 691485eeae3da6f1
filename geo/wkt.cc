#include "geo/wkt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/error.h"

namespace graticule {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<Ring> Shape() {
    const std::string type = Word();
    if (type != "POLYGON" && type != "MULTIPOLYGON") Refuse("expected POLYGON or MULTIPOLYGON");
    if (const std::string flags = Word(); !flags.empty() && flags != "Z" && flags != "M" && flags != "ZM")
      Refuse(fmt::format("\"{}\" is not expected here", flags));
    if (type == "POLYGON") {
      Polygon();
    } else {
      List([&] { Polygon(); });
    }
    SkipSpace();
    if (at_ != text_.size()) Refuse("text follows the polygon");
    return std::move(rings_);
  }

 private:
  template <typename Item>
  void List(const Item& item) {
    Expect('(');
    do item();
    while (Accept(','));
    Expect(')');
  }

  void Polygon() {
    bool outer = true;
    List([&] {
      AddRing(outer);
      outer = false;
    });
  }

  void AddRing(bool outer) {
    Ring ring;
    List([&] { ring.push_back(Point()); });
    if (ring.size() > 1 && ring.front() == ring.back()) ring.pop_back();
    if (ring.size() < 3) Refuse("a ring has fewer than three points");
    if ((TwiceSignedArea(ring) > 0) != outer) std::reverse(ring.begin(), ring.end());
    rings_.push_back(std::move(ring));
  }

  LatLon Point() {
    LatLon p;
    p.lon_deg = Number();
    p.lat_deg = Number();
    for (int more = 0; more < 2 && AtNumber(); ++more) Number();
    if (!(p.lat_deg >= -90 && p.lat_deg <= 90 && p.lon_deg >= -180 && p.lon_deg <= 180))
      Refuse(fmt::format("the point ({}, {}) is not in degrees of longitude and latitude", p.lon_deg,
                         p.lat_deg));
    return p;
  }

  double Number() {
    SkipSpace();
    double value = 0;
    const auto [end, code] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (code != std::errc()) Refuse("expected a number");
    at_ = static_cast<size_t>(end - text_.data());
    return value;
  }

  bool AtNumber() {
    SkipSpace();
    return at_ < text_.size() && text_[at_] != ',' && text_[at_] != ')';
  }

  std::string Word() {
    SkipSpace();
    std::string word;
    for (; at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_])); ++at_)
      word += static_cast<char>(std::toupper(static_cast<unsigned char>(text_[at_])));
    return word;
  }

  bool Accept(char c) {
    SkipSpace();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void Expect(char c) {
    if (!Accept(c)) Refuse(fmt::format("expected '{}'", c));
  }

  void SkipSpace() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  [[noreturn]] void Refuse(const std::string& why) const {
    throw Error(ErrorCode::kData, fmt::format("polygon text, character {}: {}", at_ + 1, why), "",
                "Expected well-known text such as POLYGON ((2.2 48.8, 2.4 48.8, 2.3 48.9, 2.2 48.8)).");
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<Ring> rings_;
};

}  // namespace

std::vector<Ring> ParseWktShape(std::string_view text) { return Parser(text).Shape(); }

std::string WktOf(const std::vector<Ring>& shape) {
  std::string text = "MULTIPOLYGON (";
  for (size_t r = 0; r < shape.size(); ++r) {
    const bool outer = TwiceSignedArea(shape[r]) > 0 || r == 0;
    text += r == 0 ? "((" : outer ? ")), ((" : "), (";
    for (const LatLon p : shape[r]) text += fmt::format("{} {}, ", p.lon_deg, p.lat_deg);
    text += fmt::format("{} {}", shape[r].front().lon_deg, shape[r].front().lat_deg);
  }
  return text + ")))";
}

double TwiceSignedArea(const Ring& ring) {
  double twice = 0;
  for (size_t i = 0; i < ring.size(); ++i) {
    const LatLon a = ring[i], b = ring[(i + 1) % ring.size()];
    twice += (a.lon_deg - ring[0].lon_deg) * (b.lat_deg - ring[0].lat_deg) -
             (b.lon_deg - ring[0].lon_deg) * (a.lat_deg - ring[0].lat_deg);
  }
  return twice;
}

LatLon PlanarCentroid(const std::vector<Ring>& shape) {
  const LatLon origin = shape[0][0];
  double weight = 0, lat = 0, lon = 0;
  for (const Ring& ring : shape) {
    for (size_t i = 0; i < ring.size(); ++i) {
      const LatLon a = ring[i], b = ring[(i + 1) % ring.size()];
      const double ax = a.lon_deg - origin.lon_deg, ay = a.lat_deg - origin.lat_deg;
      const double bx = b.lon_deg - origin.lon_deg, by = b.lat_deg - origin.lat_deg;
      const double cross = ax * by - bx * ay;
      weight += cross;
      lon += cross * (ax + bx) / 3;
      lat += cross * (ay + by) / 3;
    }
  }
  if (!(weight > 0)) return origin;  // no area: every point of it will do
  return {std::clamp(origin.lat_deg + lat / weight, -90.0, 90.0),
          std::clamp(origin.lon_deg + lon / weight, -180.0, 180.0)};
}

}  // namespace graticule
