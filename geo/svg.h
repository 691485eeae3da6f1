// A small SVG document: shapes are appended in drawing order, text is escaped, numbers are written short.
//
// Dark on light, one sans-serif family, no scripts, no outside references: the file shows the same in a
// browser, a paper and `rsvg-convert`. Coordinates are pixels, y downwards. Not thread-safe. Cannot fail.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

struct SvgPoint {
  double x = 0, y = 0;
};

struct SvgStyle {
  std::string fill = "none";
  std::string stroke;  // empty: none
  double stroke_width = 1;
  double opacity = 1;
  std::string dash;  // "4 3"
};

struct SvgText {
  double size = 13;
  std::string anchor = "start";  // "middle", "end"
  std::string colour = "#2b2f36";
  bool bold = false;
};

// Colours of all drawings of ours, in one place.
namespace ink {
inline constexpr const char* kPaper = "#ffffff";
inline constexpr const char* kText = "#1f2430";
inline constexpr const char* kMuted = "#5f6b7a";
inline constexpr const char* kGrid = "#dfe4ea";
inline constexpr const char* kSphere = "#f3f6f9";
inline constexpr const char* kLine = "#8a95a3";
}  // namespace ink

// Piecewise linear in sRGB between evenly spaced stops; t is clamped to [0, 1].
class ColourRamp {
 public:
  explicit ColourRamp(std::vector<std::array<uint8_t, 3>> stops) : stops_(std::move(stops)) {}
  std::string At(double t) const;  // "#rrggbb"

 private:
  std::vector<std::array<uint8_t, 3>> stops_;
};
const ColourRamp& QuantityRamp();  // pale to dark blue: more is darker
const ColourRamp& ErrorRamp();     // teal, sand, red: readable for the colour-blind
// Distinct line colours, repeated after eight.
std::string LineColour(size_t index);

class SvgDocument {
 public:
  SvgDocument(double width, double height, std::string_view title);
  double width() const { return width_; }
  double height() const { return height_; }

  void Rect(double x, double y, double width, double height, const SvgStyle& style, double radius = 0);
  void Line(SvgPoint a, SvgPoint b, const SvgStyle& style);
  void Polyline(std::span<const SvgPoint> points, const SvgStyle& style);
  // Filled by the even-odd rule. tooltip: shown by browsers on hover; may be empty.
  void Polygon(std::span<const std::vector<SvgPoint>> rings, const SvgStyle& style,
               std::string_view tooltip = "");
  void Circle(SvgPoint centre, double radius, const SvgStyle& style, std::string_view tooltip = "");
  void Text(SvgPoint at, std::string_view text, const SvgText& style = {});
  // A horizontal colour bar from t = 0 to 1.
  void ColourBar(double x, double y, double width, double height, const ColourRamp& ramp);

  std::string str() const;  // the finished file

 private:
  double width_, height_;
  std::string body_;
};

// "1,234,567", "0.25", "2.5k": short numbers for ticks and labels.
std::string WithThousands(int64_t n);
std::string ShortNumber(double value);
// About `count` round tick values covering [low, high].
std::vector<double> RoundTicks(double low, double high, int count);

}  // namespace graticule
