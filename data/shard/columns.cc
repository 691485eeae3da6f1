#include "data/shard/columns.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace graticule {
namespace {

static_assert(std::endian::native == std::endian::little, "shards are written from memory, little-endian");

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// INT64_MIN is a power of two and exact as a double; 2^64 - 1 is not, hence MissingBits below.
constexpr double kMinI64 = -9223372036854775808.0;
using enum ColumnType;

constexpr ColumnSpec kColumns[] = {
    {Col::kIdU64, "/id/u64", kU64, "1", 0, "numeric id in the source"},
    {Col::kSrcRow, "/src/row", kU64, "1", -1, "row of the source table, 0 = first after the header"},
    {Col::kLat, "/geo/lat", kF64, "degrees_north", kNaN, "latitude, WGS84"},
    {Col::kLon, "/geo/lon", kF64, "degrees_east", kNaN, "longitude, WGS84, [-180, 180)"},
    {Col::kAccM, "/geo/acc_m", kF32, "m", kNaN, "stated accuracy of the position"},
    {Col::kCapturedMs, "/time/captured_ms", kI64, "ms since 1970-01-01 UTC", kMinI64, "time of capture"},
    {Col::kMonth, "/time/month", kU8, "1", 0, "month of capture, 1..12"},
    {Col::kHourLocal, "/time/hour_local", kI8, "h", -1, "local hour of capture, 0..23"},
    {Col::kCountryIso, "/adm/country_iso", kU16, "1", 0, "ISO 3166-1 numeric country code, 983 = XK"},
    {Col::kContinent, "/adm/continent", kU32, "1", 0, "index into /dict/continent"},
    {Col::kCountry, "/adm/country", kU32, "1", 0, "index into /dict/country"},
    {Col::kRegion, "/adm/region", kU32, "1", 0, "index into /dict/region"},
    {Col::kSubregion, "/adm/subregion", kU32, "1", 0, "index into /dict/subregion"},
    {Col::kCity, "/adm/city", kU32, "1", 0, "index into /dict/city"},
    {Col::kQuadtree500, "/cell/quadtree_10_500", kI32, "1", -1, "source's quadtree leaf, split above 500"},
    {Col::kQuadtree1000, "/cell/quadtree_10_1000", kI32, "1", -1, "source's quadtree leaf, split above 1000"},
    {Col::kQuadtree2500, "/cell/quadtree_10_2500", kI32, "1", -1, "source's quadtree leaf, split above 2500"},
    {Col::kQuadtree5000, "/cell/quadtree_10_5000", kI32, "1", -1, "source's quadtree leaf, split above 5000"},
    {Col::kQuadtree12500, "/cell/quadtree_10_12500", kI32, "1", -1,
     "source's quadtree leaf, split above 12500"},
    {Col::kQuadtree25000, "/cell/quadtree_10_25000", kI32, "1", -1,
     "source's quadtree leaf, split above 25000"},
    {Col::kQuadtree50000, "/cell/quadtree_10_50000", kI32, "1", -1,
     "source's quadtree leaf, split above 50000"},
    {Col::kClimate, "/aux/climate", kU8, "1", 255, "Koeppen-Geiger class, Beck codes 1..30, 0 = no data"},
    {Col::kLandcover, "/aux/landcover", kU8, "1", 255, "land cover class of the source"},
    {Col::kSoil, "/aux/soil", kU8, "1", 255, "soil class of the source"},
    {Col::kDriveLeft, "/aux/drive_left", kU8, "1", 255, "driving side, 1 = left, 0 = right"},
    {Col::kRoadIndex, "/aux/road_index", kF32, "source units", kNaN, "road density index"},
    {Col::kDistSea, "/aux/dist_sea", kF32, "source units", kNaN, "distance to the sea"},
    {Col::kElevM, "/aux/elev_m", kF32, "m", kNaN, "elevation"},
    {Col::kPopdenKm2, "/aux/popden_km2", kF32, "km-2", kNaN, "population density"},
    {Col::kTavgC, "/aux/tavg_c", kF32, "degC", kNaN, "annual mean temperature"},
    {Col::kTdiffC, "/aux/tdiff_c", kF32, "degC", kNaN, "warmest minus coldest month"},
    {Col::kPrecMm, "/aux/prec_mm", kF32, "mm", kNaN, "mean monthly precipitation"},
    {Col::kPrecdiffMm, "/aux/precdiff_mm", kF32, "mm", kNaN, "wettest minus driest month"},
    {Col::kScene3, "/scene/s3", kU8, "1", 255, "Places365 group: 0 indoor, 1 natural, 2 urban"},
    {Col::kScene16, "/scene/s16", kU8, "1", 255, "Places365 group of 16"},
    {Col::kScene365, "/scene/s365", kU16, "1", 65535, "Places365 class"},
    {Col::kProbIndoor, "/scene/prob_indoor", kF32, "1", kNaN, "probability of an indoor scene"},
    {Col::kProbNatural, "/scene/prob_natural", kF32, "1", kNaN, "probability of a natural scene"},
    {Col::kProbUrban, "/scene/prob_urban", kF32, "1", kNaN, "probability of an urban scene"},
    {Col::kHeadingDeg, "/view/heading_deg", kF32, "degree", kNaN, "direction of view, clockwise from north"},
    {Col::kHfovDeg, "/view/hfov_deg", kF32, "degree", kNaN, "horizontal field of view"},
    {Col::kPano, "/view/pano", kU8, "1", 255, "0 no, 1 panorama"},
    {Col::kPlatform, "/view/platform", kU8, "1", 255,
     "0 driving surface, 1 walking surface, 2 cycling surface, 3 railway, 4 fields, 5 tunnel"},
    {Col::kWeather, "/view/weather", kU8, "1", 255, "0 clear, 1 cloudy, 2 rainy, 3 snowy, 4 foggy"},
    {Col::kLighting, "/view/lighting", kU8, "1", 255, "0 day, 1 night, 2 dusk or dawn"},
    {Col::kViewdir, "/view/viewdir", kU8, "1", 255, "0 front or back, 1 side"},
    {Col::kQuality, "/view/quality", kU8, "1", 255, "0 good, 1 slightly poor, 2 very poor"},
    {Col::kGlare, "/view/glare", kU8, "1", 255, "0 no, 1 yes"},
    {Col::kReflection, "/view/reflection", kU8, "1", 255, "0 no, 1 yes"},
    {Col::kSeqHash, "/seq/hash", kU64, "1", 0, "XXH64 of the capture sequence"},
    {Col::kSeqIndex, "/seq/index", kI32, "1", -1, "position in the capture sequence"},
    {Col::kAuthorHash, "/own/author_hash", kU64, "1", 0, "XXH64 of platform prefix and author id"},
    {Col::kCreator, "/own/creator", kU32, "1", 0, "index into /dict/creator"},
    {Col::kLicence, "/own/licence", kU8, "1", 0,
     "1 CC-BY-SA-4.0, 2 CC-BY-SA-2.0, 3 CC-BY-4.0, 4 CC-BY, 5 CC-BY-NC and others, 0 unknown"},
};
static_assert(std::size(kColumns) == kColCount);

int64_t MissingBits(const ColumnSpec& spec) {
  if (IsFloat(spec.type)) return std::bit_cast<int64_t>(kNaN);
  return static_cast<int64_t>(spec.missing);
}

}  // namespace

size_t SizeOf(ColumnType type) {
  static constexpr size_t kSizes[kColumnTypeCount] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  return kSizes[static_cast<size_t>(type)];
}

bool IsFloat(ColumnType type) { return type == kF32 || type == kF64; }

std::span<const ColumnSpec> Columns() { return kColumns; }

std::string_view LeafName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

const ColumnSpec* FindEnrichment(std::string_view leaf) {
  for (const ColumnSpec& spec : kColumns) {
    const std::string_view path = spec.path;
    if (!path.starts_with("/aux/") && !path.starts_with("/time/") && !path.starts_with("/scene/")) continue;
    if (LeafName(path) == leaf) return &spec;
  }
  return nullptr;
}

RecordRow::RecordRow() {
  static const std::array<int64_t, kColCount> kAllMissing = [] {
    std::array<int64_t, kColCount> bits;
    for (const ColumnSpec& spec : kColumns) bits[static_cast<size_t>(spec.col)] = MissingBits(spec);
    return bits;
  }();
  bits_ = kAllMissing;
}

void RecordRow::SetInt(Col col, int64_t value) {
  GRATICULE_CHECK(!IsFloat(SpecOf(col).type), SpecOf(col).path);
  bits_[static_cast<size_t>(col)] = value;
}

void RecordRow::SetFloat(Col col, double value) {
  const ColumnType type = SpecOf(col).type;
  GRATICULE_CHECK(IsFloat(type), SpecOf(col).path);
  // As it will be stored: statistics must not depend on whether a shard was just written or read again.
  if (type == kF32) value = static_cast<float>(value);
  bits_[static_cast<size_t>(col)] = std::bit_cast<int64_t>(value);
}

double RecordRow::Float(Col col) const { return std::bit_cast<double>(Int(col)); }

bool RecordRow::IsMissing(Col col) const {
  const ColumnSpec& spec = SpecOf(col);
  return IsFloat(spec.type) ? std::isnan(Float(col)) : Int(col) == MissingBits(spec);
}

void RecordRow::Store(Col col, uint8_t* out) const {
  const ColumnType type = SpecOf(col).type;
  if (type == kF32) {
    const float value = static_cast<float>(Float(col));
    std::memcpy(out, &value, sizeof(value));
  } else {
    const int64_t value = Int(col);
    std::memcpy(out, &value, SizeOf(type));  // the low bytes, little-endian
  }
}

void RecordRow::Load(Col col, const uint8_t* in) {
  const auto get = [&]<typename T>(T value) {
    std::memcpy(&value, in, sizeof(value));
    return value;
  };
  switch (SpecOf(col).type) {
    case kU8:
      return SetInt(col, get(uint8_t{}));
    case kI8:
      return SetInt(col, get(int8_t{}));
    case kU16:
      return SetInt(col, get(uint16_t{}));
    case kI16:
      return SetInt(col, get(int16_t{}));
    case kU32:
      return SetInt(col, get(uint32_t{}));
    case kI32:
      return SetInt(col, get(int32_t{}));
    case kU64:
      return SetInt(col, static_cast<int64_t>(get(uint64_t{})));
    case kI64:
      return SetInt(col, get(int64_t{}));
    case kF32:
      return SetFloat(col, get(float{}));
    case kF64:
      return SetFloat(col, get(double{}));
  }
}

}  // namespace graticule
