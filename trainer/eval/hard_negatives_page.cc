#include "trainer/eval/hard_negatives_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64.h"
#include "base/error.h"
#include "base/rng.h"
#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/image/jpeg_encode.h"

namespace graticule {
namespace {

constexpr int kSide = 128, kQuality = 85;

std::string Escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '&')
      safe += "&amp;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

// Thumbnails as data URIs.
class Thumbnails {
 public:
  explicit Thumbnails(const Dataset& dataset)
      : dataset_(dataset),
        cropper_({.image_size = kSide, .kind = "centre_crop"}),
        square_(size_t{3} * kSide * kSide) {}

  std::string Uri(int64_t record) {
    try {
      dataset_.ReadImage(record, bytes_);
      decoder_.Decode(bytes_, {.apply_orientation = true, .allow_truncated = true}, image_);
      Rng unused(0, {});
      cropper_.Crop(image_, unused, square_.data());
    } catch (const Error&) {
      std::fill(square_.begin(), square_.end(), uint8_t{128});
    } catch (const BadRecord&) {
      std::fill(square_.begin(), square_.end(), uint8_t{128});
    }
    const std::vector<uint8_t> jpeg =
        encoder_.Encode({square_.data(), kSide, kSide, ptrdiff_t{3} * kSide}, kQuality);
    return "data:image/jpeg;base64," + Base64(jpeg);
  }

 private:
  const Dataset& dataset_;
  Cropper cropper_;
  JpegDecoder decoder_;
  JpegEncoder encoder_;
  Image image_;
  std::vector<uint8_t> bytes_, square_;
};

}  // namespace

std::string HardNegativesPage(const Dataset& dataset, std::span<const HardAnchor> anchors,
                              const HardNegativeOptions& options, const std::string& title) {
  Thumbnails thumbnails(dataset);
  std::string html = fmt::format(
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title><style>"
      "body{{font:14px sans-serif;margin:24px;color:#222}}table{{border-collapse:collapse}}"
      "td,th{{padding:6px;vertical-align:top;text-align:left;border-top:1px solid #ddd}}"
      "figure{{display:inline-block;margin:0 6px 0 0;width:{1}px}}figcaption{{font-size:12px;color:#444}}"
      ".own img{{outline:3px solid #1f5fa8}}.near img{{outline:3px solid #b36b00}}</style>"
      "<h1>{0}</h1><p>Each row: an image, then other images whose places the model gives the largest logits. "
      "Far ones are hard negatives; those within {2:.0f} km are likely false negatives, which "
      "<code>loss.mask</code> can leave out. Rows where a far place beats the own one by most come first.</p>"
      "<table><tr><th>image</th><th>hardest negatives</th><th>likely false negatives</th></tr>",
      Escaped(title), kSide, options.near_km);
  const auto figure = [&](int64_t record, const std::string& caption) {
    return fmt::format(
        "<figure><img width=\"{0}\" height=\"{0}\" alt=\"\" "
        "src=\"{1}\"><figcaption>{2}</figcaption></figure>",
        kSide, thumbnails.Uri(record), caption);
  };
  const auto cell = [&](const char* style, const std::vector<HardNegative>& list) {
    html += fmt::format("<td class=\"{}\">", style);
    for (const HardNegative& one : list)
      html += figure(one.record,
                     fmt::format("{:.{}f} km<br>logit {:.2f}", one.km, one.km < 10 ? 1 : 0, one.logit));
    html += "</td>";
  };
  for (const HardAnchor& anchor : anchors) {
    const LatLon place = dataset.place(anchor.record);
    html += "<tr><td class=\"own\">" +
            figure(anchor.record,
                   fmt::format("{}<br>{:.3f}, {:.3f}<br>logit {:.2f}", Escaped(dataset.id(anchor.record)),
                               place.lat_deg, place.lon_deg, anchor.logit)) +
            "</td>";
    cell("far", anchor.far);
    cell("near", anchor.near);
    html += "</tr>";
  }
  return html + "</table></html>\n";
}

}  // namespace graticule
