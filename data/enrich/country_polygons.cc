#include "data/enrich/country_polygons.h"

#include <cpl_quad_tree.h>
#include <ogrsf_frmts.h>

#include <limits>
#include <memory>

#include "base/error.h"
#include "data/country.h"
#include "data/enrich/vector_file.h"
#include "geo/line_index.h"

namespace graticule {
namespace {

const std::vector<std::string>& CodeFields() {
  static const std::vector<std::string> fields = {"ISO_A2_EH", "ISO_A3_EH", "ADM0_A3", "shapeGroup",
                                                  "GID_0",     "ISO_A2",    "ISO_A3"};
  return fields;
}

uint16_t CodeOf(const OGRFeature& feature) {
  for (const std::string& name : CodeFields()) {
    const int field = feature.GetFieldIndex(name.c_str());
    if (field < 0 || !feature.IsFieldSetAndNotNull(field)) continue;
    const std::string code = feature.GetFieldAsString(field);
    const uint16_t iso = code.size() == 2 ? NumericCountry(code) : NumericCountryOfAlpha3(code);
    if (iso != 0) return iso;
  }
  return 0;
}

// One polygon of a country; countries are cut into these so that boxes are small.
struct Part {
  size_t country = 0;
  std::unique_ptr<OGRPolygon> polygon;
  OGRPreparedGeometryUniquePtr prepared;
};

class Countries {
 public:
  explicit Countries(const std::string& path) {
    ForEachFeature(path, CodeFields(), [&](const OGRFeature& feature) {
      iso_.push_back(CodeOf(feature));
      Add(*feature.GetGeometryRef());
      for (std::vector<LatLon>& ring : OutlinesOf(*feature.GetGeometryRef(), path)) {
        rings_.push_back(std::move(ring));
        ring_country_.push_back(iso_.size() - 1);
      }
    });
    if (parts_.empty()) throw Error(ErrorCode::kData, "holds no polygon", path);
    const CPLRectObj world{-361, -91, 361, 91};
    tree_.reset(CPLQuadTreeCreate(&world, [](const void* part, CPLRectObj* bounds) {
      OGREnvelope box;
      static_cast<const Part*>(part)->polygon->getEnvelope(&box);
      *bounds = {box.MinX, box.MinY, box.MaxX, box.MaxY};
    }));
    for (Part& part : parts_) CPLQuadTreeInsert(tree_.get(), &part);
  }

  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  size_t Holding(LatLon p) const {
    size_t found = HoldingAt(p.lon_deg, p.lat_deg);
    // The antimeridian belongs to polygons on both of its sides.
    if (found == kNone && p.lon_deg == -180) found = HoldingAt(180, p.lat_deg);
    return found;
  }
  size_t Nearest(LatLon p, double reach_km, float& km) {
    if (!outlines_) outlines_ = std::make_unique<LineIndex>(rings_);
    const LineIndex::Hit hit = outlines_->Nearest(p);
    km = static_cast<float>(hit.km);
    return hit.line < 0 || hit.km > reach_km ? kNone : ring_country_[static_cast<size_t>(hit.line)];
  }
  uint16_t iso(size_t country) const { return iso_[country]; }

 private:
  void Add(const OGRGeometry& geometry) {
    const OGRwkbGeometryType type = wkbFlatten(geometry.getGeometryType());
    if (type == wkbPolygon) {
      Part part{iso_.size() - 1, std::unique_ptr<OGRPolygon>(geometry.toPolygon()->clone()), nullptr};
      part.prepared.reset(OGRCreatePreparedGeometry(OGRGeometry::ToHandle(part.polygon.get())));
      parts_.push_back(std::move(part));
    } else if (type == wkbMultiPolygon || type == wkbGeometryCollection) {
      for (const OGRGeometry* part : geometry.toGeometryCollection()) Add(*part);
    }
  }
  size_t HoldingAt(double lon_deg, double lat_deg) const {
    const CPLRectObj at{lon_deg, lat_deg, lon_deg, lat_deg};
    int count = 0;
    const std::unique_ptr<void*, decltype(&VSIFree)> hits(CPLQuadTreeSearch(tree_.get(), &at, &count),
                                                          VSIFree);
    OGRPoint point(lon_deg, lat_deg);
    size_t found = kNone;
    for (int i = 0; i < count; ++i) {
      const Part& part = *static_cast<const Part*>(hits.get()[i]);
      if (part.country < found &&
          OGRPreparedGeometryIntersects(part.prepared.get(), OGRGeometry::ToHandle(&point)))
        found = part.country;
    }
    return found;
  }

  struct TreeCloser {
    void operator()(CPLQuadTree* tree) const { CPLQuadTreeDestroy(tree); }
  };
  std::vector<uint16_t> iso_;  // by country
  std::vector<Part> parts_;
  std::vector<std::vector<LatLon>> rings_;
  std::vector<size_t> ring_country_;
  std::unique_ptr<CPLQuadTree, TreeCloser> tree_;
  std::unique_ptr<LineIndex> outlines_;  // made when a place is first on no polygon
};

}  // namespace

CountrySamples SampleCountries(const std::string& path, std::span<const LatLon> places, double reach_km,
                               const std::function<void(int64_t done)>& progress) {
  Countries countries(path);
  CountrySamples out{std::vector<uint16_t>(places.size(), 0), std::vector<float>(places.size(), 0)};
  for (size_t i = 0; i < places.size(); ++i) {
    if (i % 1024 == 0 && progress) progress(static_cast<int64_t>(i));
    if (!IsValid(places[i])) continue;
    const LatLon p = Normalised(places[i]);
    size_t country = countries.Holding(p);
    if (country == Countries::kNone && reach_km > 0) country = countries.Nearest(p, reach_km, out.away_km[i]);
    if (country != Countries::kNone) out.iso[i] = countries.iso(country);
  }
  return out;
}

}  // namespace graticule
