// MP16-Pro's tables: the filtered one and the full one, which differ in how they write ids.
#include <algorithm>

#include "data/import/layout_columns.h"

namespace graticule {
namespace {

class Mp16ProLayout final : public Layout {
 public:
  Mp16ProLayout(const CsvReader& csv, bool keep_without_country)
      : keep_without_country_(keep_without_country),
        id_(csv.Require({"IMG_ID"})),
        lat_(csv.Require({"LAT"})),
        lon_(csv.Require({"LON"})),
        author_(csv.FindAny({"AUTHOR"})),
        country_(csv.FindAny({"country"})),
        country_code_(csv.FindAny({"country_code"})),
        straight_(FindScenes(csv)),
        named_(FindNamed(csv,
                         {{"continent", Col::kContinent},
                          {"country", Col::kCountry},
                          {"state", Col::kRegion},
                          {"county", Col::kSubregion},
                          {"city", Col::kCity}},
                         /*words=*/false)) {
    // The Flickr account's id, which leads to its page.
    if (author_) named_.push_back({*author_, Col::kCreator});
    if (!country_ && !country_code_ && !keep_without_country) csv.Require({"country", "country_code"});
  }
  size_t id_column() const override { return id_; }
  std::string Key(std::string_view id) const override {
    std::string key(id);
    if (const size_t images = key.rfind("images/"); images != std::string::npos) key.erase(0, images + 7);
    std::replace(key.begin(), key.end(), '/', '_');
    return Stem(key);
  }
  std::string Id(const Fields& fields) const override { return fields[id_]; }
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport& report) const override {
    if (!ScanPlace(row, lat_, lon_, row.fields[id_], report, kPublishedPlace)) return false;
    if (!keep_without_country_ && NoCountry(row.fields)) {
      report.Count("no_country", row.fields[id_]);
      return false;
    }
    InternAll(named_, row.fields, dictionaries, nullptr);
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport& report,
           RecordRow& out) const override {
    const std::string& id = fields[id_];
    const std::string stem = Key(id);
    SetDigits(stem.substr(stem.rfind('_') + 1), out);
    SetPlace(*ToPlace(fields[lat_], fields[lon_]), out);
    if (const std::string_view code = FieldAt(fields, country_code_); !code.empty())
      SetCountry(code, id, report, out);
    else
      SetCountryByName(FieldAt(fields, country_), id, report, out);
    InternAll(named_, fields, dictionaries, &out);
    SetStraight(straight_, fields, id, report, out);
    SetAuthor("flickr", FieldAt(fields, author_), out);
  }

 private:
  // The name decides where there is one; "na" as a code is Namibia, as a name it is missing.
  bool NoCountry(const Fields& fields) const {
    if (country_) return IsMissing(fields[*country_]);
    return fields[*country_code_].empty();
  }
  bool keep_without_country_;
  size_t id_, lat_, lon_;
  std::optional<size_t> author_, country_, country_code_;
  std::vector<Straight> straight_;
  std::vector<Named> named_;
};

}  // namespace

std::unique_ptr<Layout> MakeMp16ProLayout(const CsvReader& csv, bool keep_without_country) {
  return std::make_unique<Mp16ProLayout>(csv, keep_without_country);
}

}  // namespace graticule
