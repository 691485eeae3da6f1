// The record schema as one table (docs/FORMATS.md): every column of a shard with its type, unit and missing
// value.
//
// A RecordRow starts with every column missing; importers set what they know. A shard omits a column that is
// missing in all of its records, and readers treat an absent column as missing everywhere.
// Plain data, no locks. Strings (ids, place names) are not columns: ids have their own pool, names a
// dictionary.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace graticule {

enum class ColumnType : uint8_t { kU8, kI8, kU16, kI16, kU32, kI32, kU64, kI64, kF32, kF64 };
inline constexpr int kColumnTypeCount = 10;
size_t SizeOf(ColumnType type);
bool IsFloat(ColumnType type);

enum class Col : uint8_t {
  kIdU64,
  kSrcRow,
  kLat,
  kLon,
  kAccM,
  kCapturedMs,
  kMonth,
  kHourLocal,
  kCountryIso,
  kContinent,
  kCountry,
  kRegion,
  kSubregion,
  kCity,
  kQuadtree500,
  kQuadtree1000,
  kQuadtree2500,
  kQuadtree5000,
  kQuadtree12500,
  kQuadtree25000,
  kQuadtree50000,
  kClimate,
  kLandcover,
  kSoil,
  kDriveLeft,
  kRoadIndex,
  kDistSea,
  kElevM,
  kPopdenKm2,
  kTavgC,
  kTdiffC,
  kPrecMm,
  kPrecdiffMm,
  kScene3,
  kScene16,
  kScene365,
  kProbIndoor,
  kProbNatural,
  kProbUrban,
  kHeadingDeg,
  kHfovDeg,
  kPano,
  kPlatform,
  kWeather,
  kLighting,
  kViewdir,
  kQuality,
  kGlare,
  kReflection,
  kSeqHash,
  kSeqIndex,
  kAuthorHash,
  kCreator,
  kLicence,
  kCount
};
inline constexpr int kColCount = static_cast<int>(Col::kCount);

struct ColumnSpec {
  Col col;
  const char* path;  // "/aux/elev_m"
  ColumnType type;
  const char* units;
  double missing;  // NaN for floats; exact for all integer sentinels but the two named below
  const char* long_name;
};
// In the order of Col.
std::span<const ColumnSpec> Columns();
inline const ColumnSpec& SpecOf(Col col) { return Columns()[static_cast<size_t>(col)]; }
// The column with this leaf name among /aux, /time and /scene ("elev_m"): what an extra CSV may fill. nullptr
// if none.
const ColumnSpec* FindEnrichment(std::string_view leaf);
std::string_view LeafName(std::string_view path);

// One record's values. Integers are kept as 64 bits (u64 by bit pattern), floats as double.
class RecordRow {
 public:
  RecordRow();  // everything missing
  void SetInt(Col col, int64_t value);
  void SetFloat(Col col, double value);
  int64_t Int(Col col) const { return bits_[static_cast<size_t>(col)]; }
  double Float(Col col) const;
  bool IsMissing(Col col) const;
  // Writes the value in the column's type, little-endian, to out[0..SizeOf(type)).
  void Store(Col col, uint8_t* out) const;
  // The inverse of Store.
  void Load(Col col, const uint8_t* in);

 private:
  std::array<int64_t, kColCount> bits_;
};

}  // namespace graticule
