// The tables of IM2GPS, IM2GPS3K, YFCC4K and YFCC26K: Places365 tables, the 25 columns of a YFCC100M extract,
// and its headerless form, whose columns the caller names alike.
#include "data/import/layout_columns.h"

namespace graticule {
namespace {

class BenchmarkLayout final : public Layout {
 public:
  BenchmarkLayout(const CsvReader& csv, bool photo_id_key)
      : photo_id_key_(photo_id_key),
        id_(csv.Require({"IMG_ID", "name", "image", "file", "filename"})),
        lat_(csv.Require({"LAT", "latitude"})),
        lon_(csv.Require({"LON", "lng", "longitude"})),
        author_(csv.FindAny({"AUTHOR", "OwnerNSID"})),
        creator_(csv.FindAny({"Username"})),
        licence_(csv.FindAny({"LicenseName"})),
        straight_(FindScenes(csv)) {
    // Without a name the Flickr account's id, which leads to its page.
    if (!creator_) creator_ = author_;
    if (creator_) named_.push_back({*creator_, Col::kCreator});
  }
  size_t id_column() const override { return id_; }
  std::string Key(std::string_view id) const override { return BenchmarkKey(id, photo_id_key_); }
  std::string Id(const Fields& fields) const override { return fields[id_]; }
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport& report) const override {
    if (!ScanPlace(row, lat_, lon_, row.fields[id_], report, kTestSetPlace)) return false;
    InternAll(named_, row.fields, dictionaries, nullptr);
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport& report,
           RecordRow& out) const override {
    const std::string& id = fields[id_];
    const std::string key = Key(id);
    SetDigits(key.substr(0, key.find('_')), out);
    SetPlace(*ToPlace(fields[lat_], fields[lon_]), out);
    SetStraight(straight_, fields, id, report, out);
    InternAll(named_, fields, dictionaries, &out);
    SetAuthor("flickr", FieldAt(fields, author_), out);
    if (const int licence = LicenceOf(FieldAt(fields, licence_)); licence != 0)
      out.SetInt(Col::kLicence, licence);
  }

 private:
  // Of Flickr's names such as "Attribution-NonCommercial-ShareAlike License".
  static int LicenceOf(std::string_view name) {
    const auto says = [&](std::string_view word) { return name.find(word) != std::string_view::npos; };
    if (!says("Attribution")) return 0;
    if (says("NonCommercial") || says("NoDerivs")) return 5;
    return says("ShareAlike") ? 2 : 4;
  }

  bool photo_id_key_;
  size_t id_, lat_, lon_;
  std::optional<size_t> author_, creator_, licence_;
  std::vector<Straight> straight_;
  std::vector<Named> named_;
};

}  // namespace

std::string BenchmarkKey(std::string_view id, bool photo_id_key) {
  std::string key = Stem(id);
  return photo_id_key ? key.substr(key.rfind('_') + 1) : key;
}

std::unique_ptr<Layout> MakeBenchmarkLayout(const CsvReader& csv, bool photo_id_key) {
  return std::make_unique<BenchmarkLayout>(csv, photo_id_key);
}

}  // namespace graticule
