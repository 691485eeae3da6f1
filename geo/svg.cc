#include "geo/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace graticule {
namespace {

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

// At most two decimals, no trailing zeros: halves the size of a map with thousands of cells.
std::string Number(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string Attributes(const SvgStyle& s) {
  std::string text = fmt::format(" fill=\"{}\"", s.fill);
  if (!s.stroke.empty())
    text += fmt::format(" stroke=\"{}\" stroke-width=\"{}\"", s.stroke, Number(s.stroke_width));
  if (!s.dash.empty()) text += fmt::format(" stroke-dasharray=\"{}\"", s.dash);
  if (s.opacity < 1) text += fmt::format(" opacity=\"{}\"", Number(s.opacity));
  return text;
}

std::string PathData(std::span<const SvgPoint> points, bool closed) {
  std::string data;
  for (size_t i = 0; i < points.size(); ++i) {
    data += fmt::format("{}{} {}", i == 0 ? "M" : "L", Number(points[i].x), Number(points[i].y));
  }
  return closed ? data + "Z" : data;
}

std::string Element(std::string_view open, std::string_view name, std::string_view tooltip) {
  if (tooltip.empty()) return fmt::format("{}/>\n", open);
  return fmt::format("{}><title>{}</title></{}>\n", open, Escaped(tooltip), name);
}

}  // namespace

std::string ColourRamp::At(double t) const {
  const double at = std::clamp(std::isfinite(t) ? t : 1.0, 0.0, 1.0) * static_cast<double>(stops_.size() - 1);
  const size_t i = std::min(static_cast<size_t>(at), stops_.size() - 2);
  const double w = at - static_cast<double>(i);
  std::string hex = "#";
  for (int c = 0; c < 3; ++c)
    hex += fmt::format("{:02x}", std::lround(stops_[i][c] + w * (stops_[i + 1][c] - stops_[i][c])));
  return hex;
}

const ColourRamp& QuantityRamp() {
  static const ColourRamp ramp({{{0xc9, 0xdd, 0xea}},
                                {{0x93, 0xbd, 0xd5}},
                                {{0x5a, 0x9b, 0xbd}},
                                {{0x25, 0x66, 0x92}},
                                {{0x10, 0x2f, 0x52}}});
  return ramp;
}

const ColourRamp& ErrorRamp() {
  static const ColourRamp ramp({{{0x07, 0x6e, 0x7e}},
                                {{0x5c, 0xb5, 0xa8}},
                                {{0xe9, 0xd2, 0x8c}},
                                {{0xe5, 0x7f, 0x3a}},
                                {{0xa4, 0x1e, 0x22}}});
  return ramp;
}

std::string LineColour(size_t index) {
  static const char* const colours[] = {"#1f6f9f", "#d1603d", "#2f8f6b", "#8a5aa8",
                                        "#b8892b", "#4c5a6b", "#c2497a", "#4aa3b5"};
  return colours[index % std::size(colours)];
}

SvgDocument::SvgDocument(double width, double height, std::string_view title)
    : width_(width), height_(height) {
  body_ = fmt::format("<title>{}</title>\n", Escaped(title));
  Rect(0, 0, width, height, {.fill = ink::kPaper});
}

void SvgDocument::Rect(double x, double y, double width, double height, const SvgStyle& style,
                       double radius) {
  body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", Number(x), Number(y),
                       Number(width), Number(height));
  if (radius > 0) body_ += fmt::format(" rx=\"{}\"", Number(radius));
  body_ += Attributes(style) + "/>\n";
}

void SvgDocument::Line(SvgPoint a, SvgPoint b, const SvgStyle& style) {
  const SvgPoint points[] = {a, b};
  Polyline(points, style);
}

void SvgDocument::Polyline(std::span<const SvgPoint> points, const SvgStyle& style) {
  if (points.empty()) return;
  body_ += fmt::format("<path d=\"{}\"{} stroke-linejoin=\"round\"/>\n", PathData(points, false),
                       Attributes(style));
}

void SvgDocument::Polygon(std::span<const std::vector<SvgPoint>> rings, const SvgStyle& style,
                          std::string_view tooltip) {
  if (rings.empty()) return;
  std::string data;
  for (const std::vector<SvgPoint>& ring : rings) data += PathData(ring, true);
  const std::string rule = rings.size() > 1 ? " fill-rule=\"evenodd\"" : "";
  body_ += Element(fmt::format("<path d=\"{}\"{}{}", data, Attributes(style), rule), "path", tooltip);
}

void SvgDocument::Circle(SvgPoint centre, double radius, const SvgStyle& style, std::string_view tooltip) {
  body_ += Element(fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}", Number(centre.x), Number(centre.y),
                               Number(radius), Attributes(style)),
                   "circle", tooltip);
}

void SvgDocument::Text(SvgPoint at, std::string_view text, const SvgText& style) {
  body_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"", Number(at.x), Number(at.y),
                       Number(style.size), style.colour);
  if (style.anchor != "start") body_ += fmt::format(" text-anchor=\"{}\"", style.anchor);
  if (style.bold) body_ += " font-weight=\"600\"";
  body_ += fmt::format(">{}</text>\n", Escaped(text));
}

void SvgDocument::ColourBar(double x, double y, double width, double height, const ColourRamp& ramp) {
  constexpr int kSteps = 64;
  for (int i = 0; i < kSteps; ++i) {  // overlapping by a pixel hides the seams
    const double left = x + width * i / kSteps, right = std::min(x + width, x + width * (i + 1) / kSteps + 1);
    Rect(left, y, right - left, height, {.fill = ramp.At((i + 0.5) / kSteps)});
  }
}

std::string SvgDocument::str() const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\">\n{2}</svg>\n",
      Number(width_), Number(height_), body_);
}

std::string WithThousands(int64_t n) {
  const std::string digits = fmt::format("{}", n < 0 ? -n : n);
  std::string text(n < 0 ? 1 : 0, '-');
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string ShortNumber(double value) {
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:.3g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.3g}k", value / 1e3);
  if (size >= 1e3) return WithThousands(std::llround(value));
  return fmt::format("{:.3g}", value);
}

std::vector<double> RoundTicks(double low, double high, int count) {
  if (!(high > low) || count < 1) return {low};
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= raw) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  for (int64_t i = static_cast<int64_t>(std::ceil(low / step - 1e-9)); i * step <= high + 1e-9 * step; ++i)
    ticks.push_back(i * step);
  return ticks;
}

}  // namespace graticule
