// Global Streetscapes: 21 tables of ten million rows that share the key (uuid, source, orig_id). Four of them
// hold what the record schema keeps. Its climate column is per city and is left alone: it must not mix with
// per-image classes.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "data/import/layout_columns.h"

namespace graticule {
namespace {

// The codes of /view columns are positions in these lists.
struct Codes {
  const char* column;
  Col to;
  std::vector<std::string_view> words;  // alternatives of one code are divided by "|"
};

const std::vector<Codes>& ContextCodes() {
  static const std::vector<Codes> codes = {
      {"platform",
       Col::kPlatform,
       {"driving surface", "walking surface", "cycling surface", "railway", "fields|field", "tunnel"}},
      {"weather", Col::kWeather, {"clear", "cloudy", "rainy", "snowy", "foggy"}},
      {"view_direction", Col::kViewdir, {"front/back", "side"}},
      {"lighting_condition", Col::kLighting, {"day", "night", "dusk/dawn"}},
      {"pano_status", Col::kPano, {"False|false", "True|true"}},
      {"quality", Col::kQuality, {"good", "slightly poor", "very poor"}},
      {"glare", Col::kGlare, {"no|False|false", "yes|True|true"}},
      {"reflection", Col::kReflection, {"no|False|false", "yes|True|true"}}};
  return codes;
}

std::optional<int> CodeOf(const Codes& codes, std::string_view word) {
  for (size_t code = 0; code < codes.words.size(); ++code) {
    std::string_view rest = codes.words[code];
    while (!rest.empty()) {
      const size_t bar = std::min(rest.find('|'), rest.size());
      if (rest.substr(0, bar) == word) return static_cast<int>(code);
      rest.remove_prefix(std::min(rest.size(), bar + 1));
    }
  }
  return std::nullopt;
}

// "2024-07-09 03:24:18.913000+02:00": the instant, where the text says its zone.
std::optional<int64_t> InstantOf(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, read = 0;
  double second = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%*1[ T]%2d:%2d:%lf%n", &year, &month, &day, &hour, &minute,
                  &second, &read) != 6 ||
      read == 0)
    return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok() || hour > 23 || minute > 59 || !(second >= 0 && second < 61)) return std::nullopt;
  const std::string zone = text.substr(static_cast<size_t>(read));
  int zone_hour = 0, zone_minute = 0;
  char sign = 0;
  if (zone != "Z" && std::sscanf(zone.c_str(), "%c%2d:%2d", &sign, &zone_hour, &zone_minute) != 3)
    return std::nullopt;
  if (zone != "Z" && sign != '+' && sign != '-') return std::nullopt;
  const int64_t offset_min = (sign == '-' ? -1 : 1) * (zone_hour * 60 + zone_minute);
  const int64_t day_ms = std::chrono::sys_days(date).time_since_epoch().count() * int64_t{86'400'000};
  return day_ms + (hour * int64_t{60} + minute - offset_min) * 60'000 + std::llround(second * 1000);
}

// What all its tables share: the key, and rows that are dropped only where they have none.
class UuidLayout : public Layout {
 public:
  explicit UuidLayout(const CsvReader& csv)
      : uuid_(csv.Require({"uuid"})), source_(csv.FindAny({"source"})) {}
  size_t id_column() const override { return uuid_; }
  std::string Key(std::string_view id) const override {
    std::string key = Stem(id);
    std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
    return key;
  }
  std::string Id(const Fields& fields) const override { return fields[uuid_]; }
  bool Scan(const CsvRow&, Dictionaries&, ImportReport&) const override { return true; }

 protected:
  bool FromMapillary(const Fields& fields) const {
    return FieldAt(fields, source_) == "Mapillary" || FieldAt(fields, source_).empty();
  }
  size_t uuid_;
  std::optional<size_t> source_;
};

class CommonLayout final : public UuidLayout {
 public:
  explicit CommonLayout(const CsvReader& csv)
      : UuidLayout(csv),
        original_(csv.FindAny({"orig_id"})),
        lat_(csv.Require({"lat"})),
        lon_(csv.Require({"lon"})),
        local_(csv.FindAny({"datetime_local"})),
        month_(csv.FindAny({"month"})),
        hour_(csv.FindAny({"hour"})),
        projection_(csv.FindAny({"projection_type"})),
        sequence_(csv.FindAny({"sequence_id"})),
        straight_(FindStraight(
            csv,
            {{"heading", Col::kHeadingDeg}, {"hFoV", Col::kHfovDeg}, {"sequence_index", Col::kSeqIndex}})) {}
  // Everything that names the image at its source.
  std::string Id(const Fields& fields) const override {
    return fmt::format("{}|{}|{}", fields[uuid_], FieldAt(fields, source_), FieldAt(fields, original_));
  }
  bool Scan(const CsvRow& row, Dictionaries&, ImportReport& report) const override {
    return ScanPlace(row, lat_, lon_, row.fields[uuid_], report, kPublishedPlace);
  }
  void Map(const Fields& fields, Dictionaries&, ImportReport& report, RecordRow& out) const override {
    const std::string& uuid = fields[uuid_];
    SetPlace(*ToPlace(fields[lat_], fields[lon_]), out);
    SetFirstBits(uuid, out);
    SetStraight(straight_, fields, uuid, report, out);
    if (local_)
      if (const auto instant = InstantOf(fields[*local_])) out.SetInt(Col::kCapturedMs, *instant);
    if (month_) SetFromText(SpecOf(Col::kMonth), fields[*month_], uuid, report, out);
    if (hour_) SetFromText(SpecOf(Col::kHourLocal), fields[*hour_], uuid, report, out);
    const std::string_view projection = FieldAt(fields, projection_);
    if (!projection.empty())
      out.SetInt(Col::kPano, projection == "spherical" || projection == "equirectangular");
    out.SetInt(Col::kSeqHash, static_cast<int64_t>(NameHash(FieldAt(fields, sequence_))));
    out.SetInt(Col::kLicence, 1);
  }

 private:
  static void SetFirstBits(std::string_view uuid, RecordRow& out) {
    std::string digits;
    for (const char c : uuid)
      if (c != '-' && digits.size() < 16) digits += c;
    uint64_t bits = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
    if (code == std::errc() && end == digits.data() + digits.size())
      out.SetInt(Col::kIdU64, static_cast<int64_t>(bits));
  }

  std::optional<size_t> original_;
  size_t lat_, lon_;
  std::optional<size_t> local_, month_, hour_, projection_, sequence_;
  std::vector<Straight> straight_;
};

class ContextLayout final : public UuidLayout {
 public:
  explicit ContextLayout(const CsvReader& csv) : UuidLayout(csv) {
    for (const Codes& codes : ContextCodes())
      if (const auto column = csv.FindAny({codes.column})) columns_.emplace_back(*column, &codes);
  }
  void Map(const Fields& fields, Dictionaries&, ImportReport& report, RecordRow& out) const override {
    for (const auto& [column, codes] : columns_) {
      const std::string& word = fields[column];
      if (IsMissing(word)) continue;
      if (const std::optional<int> code = CodeOf(*codes, word))
        out.SetInt(codes->to, *code);
      else
        report.Count("bad_value", fmt::format("{}: {} = \"{}\"", fields[uuid_], codes->column, word));
    }
  }

 private:
  std::vector<std::pair<size_t, const Codes*>> columns_;
};

class CityLayout final : public UuidLayout {
 public:
  explicit CityLayout(const CsvReader& csv)
      : UuidLayout(csv),
        iso2_(csv.FindAny({"iso2"})),
        named_(FindNamed(csv, {{"continent", Col::kContinent},
                               {"country", Col::kCountry},
                               {"admin_name", Col::kRegion},
                               {"city", Col::kCity}})) {}
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport&) const override {
    InternAll(named_, row.fields, dictionaries, nullptr);
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport& report,
           RecordRow& out) const override {
    InternAll(named_, fields, dictionaries, &out);
    SetCountry(FieldAt(fields, iso2_), fields[uuid_], report, out);
  }

 private:
  std::optional<size_t> iso2_;
  std::vector<Named> named_;
};

class CreatorLayout final : public UuidLayout {
 public:
  explicit CreatorLayout(const CsvReader& csv)
      : UuidLayout(csv),
        creator_id_(csv.FindAny({"mly_creator.id"})),
        named_(FindNamed(csv, {{"mly_creator.username", Col::kCreator}})) {}
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport&) const override {
    InternAll(named_, row.fields, dictionaries, nullptr);
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport&, RecordRow& out) const override {
    InternAll(named_, fields, dictionaries, &out);
    if (FromMapillary(fields)) SetAuthor("mapillary", FieldAt(fields, creator_id_), out);
  }

 private:
  std::optional<size_t> creator_id_;
  std::vector<Named> named_;
};

}  // namespace

std::unique_ptr<Layout> MakeStreetscapesLayout(const CsvReader& csv) {
  return std::make_unique<CommonLayout>(csv);
}
std::unique_ptr<Layout> MakeStreetscapesContextLayout(const CsvReader& csv) {
  return std::make_unique<ContextLayout>(csv);
}
std::unique_ptr<Layout> MakeStreetscapesCityLayout(const CsvReader& csv) {
  return std::make_unique<CityLayout>(csv);
}
std::unique_ptr<Layout> MakeStreetscapesCreatorLayout(const CsvReader& csv) {
  return std::make_unique<CreatorLayout>(csv);
}

}  // namespace graticule
