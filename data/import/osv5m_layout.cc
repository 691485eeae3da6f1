// OSV-5M's table of 32 columns (and that of its 129,000 image subset, which has the same ones).
#include "data/import/layout_columns.h"
#include "data/shard/string_hash.h"

namespace graticule {
namespace {

class Osv5mLayout final : public Layout {
 public:
  explicit Osv5mLayout(const CsvReader& csv)
      : id_(csv.Require({"id"})),
        lat_(csv.Require({"latitude"})),
        lon_(csv.Require({"longitude"})),
        country_(csv.FindAny({"country"})),
        captured_(csv.FindAny({"captured_at"})),
        sequence_(csv.FindAny({"sequence"})),
        creator_id_(csv.FindAny({"creator_id"})),
        straight_(FindStraight(csv, {{"climate", Col::kClimate},
                                     {"land_cover", Col::kLandcover},
                                     {"soil", Col::kSoil},
                                     {"drive_side", Col::kDriveLeft},
                                     {"road_index", Col::kRoadIndex},
                                     {"dist_sea", Col::kDistSea},
                                     {"quadtree_10_500", Col::kQuadtree500},
                                     {"quadtree_10_1000", Col::kQuadtree1000},
                                     {"quadtree_10_2500", Col::kQuadtree2500},
                                     {"quadtree_10_5000", Col::kQuadtree5000},
                                     {"quadtree_10_12500", Col::kQuadtree12500},
                                     {"quadtree_10_25000", Col::kQuadtree25000},
                                     {"quadtree_10_50000", Col::kQuadtree50000}})),
        named_(FindNamed(csv, {{"unique_country", Col::kCountry},
                               {"unique_region", Col::kRegion},
                               {"unique_sub-region", Col::kSubregion},
                               {"unique_city", Col::kCity},
                               {"creator_username", Col::kCreator}})) {}
  size_t id_column() const override { return id_; }
  std::string Key(std::string_view id) const override { return Stem(id); }
  std::string Id(const Fields& fields) const override { return fields[id_]; }
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport& report) const override {
    if (!ScanPlace(row, lat_, lon_, row.fields[id_], report, kPublishedPlace)) return false;
    InternAll(named_, row.fields, dictionaries, nullptr);
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport& report,
           RecordRow& out) const override {
    const std::string& id = fields[id_];
    SetDigits(id, out);
    SetPlace(*ToPlace(fields[lat_], fields[lon_]), out);
    InternAll(named_, fields, dictionaries, &out);
    SetStraight(straight_, fields, id, report, out);
    SetCountry(FieldAt(fields, country_), id, report, out);
    if (captured_) SetFromText(SpecOf(Col::kCapturedMs), fields[*captured_], id, report, out);
    if (!out.IsMissing(Col::kCapturedMs)) out.SetInt(Col::kMonth, MonthOf(out.Int(Col::kCapturedMs)));
    out.SetInt(Col::kSeqHash, static_cast<int64_t>(NameHash(FieldAt(fields, sequence_))));
    SetAuthor("mapillary", FieldAt(fields, creator_id_), out);
    out.SetInt(Col::kLicence, 1);
  }

 private:
  size_t id_, lat_, lon_;
  std::optional<size_t> country_, captured_, sequence_, creator_id_;
  std::vector<Straight> straight_;
  std::vector<Named> named_;
};

}  // namespace

std::unique_ptr<Layout> MakeOsv5mLayout(const CsvReader& csv) { return std::make_unique<Osv5mLayout>(csv); }

}  // namespace graticule
