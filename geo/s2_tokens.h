// S2 cells as numbers, hexadecimal tokens and GeoToken sequences. The S2 library is included by s2_tokens.cc
// alone.
//
// A cell id is S2's 64-bit id: 3 bits of cube face, 2 bits of Hilbert position per level, one sentinel bit,
// zeros. Longitude is used as given: -180 and 180 lie on different faces, as in S2 (callers that want one
// answer for one place normalise first). Pure functions; a bad level or id is a bug of the caller
// (GRATICULE_CHECK), a bad token text is Error(kData).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

inline constexpr int kS2MaxLevel = 30;

uint64_t S2CellIdOf(LatLon p, int level = kS2MaxLevel);
LatLon S2Centre(uint64_t id);
std::vector<LatLon> S2Corners(
    uint64_t id);  // 4, counter-clockwise seen from outside; edges are great circles

bool S2IsValid(uint64_t id);
int S2Level(uint64_t id);
uint64_t S2Parent(uint64_t id, int level);
uint64_t S2Child(uint64_t id, int position);  // 0..3 along the Hilbert curve
// First and last leaf (level 30) below a cell; cells are disjoint when these ranges are.
uint64_t S2FirstLeaf(uint64_t id);
uint64_t S2LastLeaf(uint64_t id);

// The id in hexadecimal without trailing zeros ("47e66f").
std::string S2Token(uint64_t id);
uint64_t S2FromToken(std::string_view token);

// GeoToken's sequence (token layout of the GeoToken paper): the cube face in [0, 6), then level/group tokens
// in [0, 4^group). `group` levels go into one token; it must divide the level.
std::vector<int> GeoTokens(uint64_t id, int group = 2);
// The cell of a sequence, also of a prefix of one: n tokens give level (n - 1) * group.
uint64_t S2FromGeoTokens(const std::vector<int>& tokens, int group = 2);

}  // namespace graticule
