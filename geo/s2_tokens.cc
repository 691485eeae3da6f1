#include "geo/s2_tokens.h"

#include <fmt/format.h>
#include <s2/s2cell.h>
#include <s2/s2cell_id.h>
#include <s2/s2latlng.h>

#include <bit>

#include "base/error.h"

namespace graticule {
namespace {

constexpr int kFaceShift = 61;

uint64_t LowestBit(uint64_t id) { return id & (~id + 1); }

LatLon FromS2(const S2LatLng& p) { return Normalised({p.lat().degrees(), p.lng().degrees()}); }

}  // namespace

uint64_t S2CellIdOf(LatLon p, int level) {
  GRATICULE_CHECK(level >= 0 && level <= kS2MaxLevel);
  return S2CellId(S2LatLng::FromDegrees(p.lat_deg, p.lon_deg)).parent(level).id();
}

LatLon S2Centre(uint64_t id) {
  GRATICULE_CHECK(S2IsValid(id));
  return FromS2(S2CellId(id).ToLatLng());
}

std::vector<LatLon> S2Corners(uint64_t id) {
  GRATICULE_CHECK(S2IsValid(id));
  const S2Cell cell{S2CellId(id)};
  std::vector<LatLon> corners;
  for (int k = 0; k < 4; ++k) corners.push_back(FromS2(S2LatLng(cell.GetVertex(k))));
  return corners;
}

bool S2IsValid(uint64_t id) { return S2CellId(id).is_valid(); }

int S2Level(uint64_t id) { return kS2MaxLevel - std::countr_zero(id) / 2; }

uint64_t S2Parent(uint64_t id, int level) {
  GRATICULE_CHECK(S2IsValid(id) && level >= 0 && level <= S2Level(id));
  return S2CellId(id).parent(level).id();
}

uint64_t S2Child(uint64_t id, int position) {
  GRATICULE_CHECK(S2IsValid(id) && S2Level(id) < kS2MaxLevel && position >= 0 && position < 4);
  return S2CellId(id).child(position).id();
}

uint64_t S2FirstLeaf(uint64_t id) { return id - (LowestBit(id) - 1); }
uint64_t S2LastLeaf(uint64_t id) { return id + (LowestBit(id) - 1); }

std::string S2Token(uint64_t id) {
  std::string text = fmt::format("{:016x}", id);
  const size_t last = text.find_last_not_of('0');
  return last == std::string::npos ? "X" : text.substr(0, last + 1);
}

uint64_t S2FromToken(std::string_view token) {
  uint64_t id = 0;
  bool ok = !token.empty() && token.size() <= 16;
  for (size_t i = 0; ok && i < token.size(); ++i) {
    const char c = token[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    ok = digit >= 0;
    id |= static_cast<uint64_t>(digit & 15) << (60 - 4 * i);
  }
  if (!ok || !S2IsValid(id)) {
    throw Error(
        ErrorCode::kData,
        fmt::format("\"{}\" is not an S2 token; expected 1-16 hexadecimal digits of a cell id", token));
  }
  return id;
}

std::vector<int> GeoTokens(uint64_t id, int group) {
  const int level = S2Level(id);
  GRATICULE_CHECK(S2IsValid(id) && group > 0 && group <= 15 && level % group == 0);
  std::vector<int> tokens{static_cast<int>(id >> kFaceShift)};
  for (int done = group; done <= level; done += group) {
    const uint64_t mask = (uint64_t{1} << (2 * group)) - 1;
    tokens.push_back(static_cast<int>((id >> (kFaceShift - 2 * done)) & mask));
  }
  return tokens;
}

uint64_t S2FromGeoTokens(const std::vector<int>& tokens, int group) {
  GRATICULE_CHECK(!tokens.empty() && group > 0 && group <= 15);
  const int level = static_cast<int>(tokens.size() - 1) * group;
  GRATICULE_CHECK(level <= kS2MaxLevel && tokens[0] >= 0 && tokens[0] < 6);
  uint64_t id = static_cast<uint64_t>(tokens[0]) << kFaceShift;
  for (size_t m = 1; m < tokens.size(); ++m) {
    GRATICULE_CHECK(tokens[m] >= 0 && tokens[m] < (1 << (2 * group)));
    id |= static_cast<uint64_t>(tokens[m]) << (kFaceShift - 2 * group * static_cast<int>(m));
  }
  return id | (uint64_t{1} << (kFaceShift - 1 - 2 * level));
}

}  // namespace graticule
