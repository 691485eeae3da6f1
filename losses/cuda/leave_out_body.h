// What one team does in the kernel of leave_out.cu: a tile of the mask, applied to the logits in place.
//
// A thread keeps one column's place and keys and meets kMaskRows rows, which all threads read at once. Only
// logits that are left out are written, and none is read. Distances in fp64, as cosines of angles; counts are
// integers, so the order of additions does not matter. Legend as in contrastive_kernels.h; team.h says what a
// Team is.
#pragma once

#include <cstdint>

#include "losses/contrastive/contrastive_kernels.h"
#include "losses/cuda/team.h"

namespace graticule {

constexpr int64_t kMaskRows = 64;
constexpr int kMostKeys = 3;

struct MaskColumn {
  double x = 0, y = 0, z = 0, limit = 2;  // no closeness is above 1
  int64_t key[kMostKeys] = {}, sample = -1;
  bool valid = true;
};

GRATICULE_BOTH MaskColumn ReadColumn(const Mask& mask, int64_t c) {
  const MaskItems& columns = mask.columns;
  MaskColumn own;
  if (columns.limit_N != nullptr) {
    const double* unit = columns.unit_N3 + 3 * c;
    own.x = unit[0], own.y = unit[1], own.z = unit[2], own.limit = columns.limit_N[c];
  }
  for (int k = 0; k < kMostKeys; ++k)
    if (k < mask.keys) own.key[k] = columns.keys_NK[c * mask.keys + k];
  if (columns.sample_N != nullptr) own.sample = columns.sample_N[c];
  if (columns.valid_N != nullptr) own.valid = columns.valid_N[c];
  return own;
}

GRATICULE_BOTH bool IsLeftOut(const Mask& mask, int64_t row, const MaskColumn& own) {
  const MaskItems& rows = mask.rows;
  if (!own.valid || (rows.valid_N != nullptr && !rows.valid_N[row])) return true;
  if (mask.columns.limit_N != nullptr) {
    const double* unit = rows.unit_N3 + 3 * row;
    if (unit[0] * own.x + unit[1] * own.y + unit[2] * own.z > own.limit) return true;
  }
  for (int k = 0; k < kMostKeys; ++k) {
    if (k >= mask.keys) break;
    const int64_t key = rows.keys_NK[row * mask.keys + k];
    if (key != 0 && key == own.key[k]) return true;
  }
  return mask.columns.sample_N != nullptr && rows.sample_N[row] == own.sample;
}

// As many columns as the team has threads, and kMaskRows rows.
template <class Team>
GRATICULE_BOTH void LeaveOutTile(Team& team, const LogitBlock& logits, const Mask& mask, int64_t column_tile,
                                 int64_t row_tile) {
  const int64_t c = column_tile * team.Size() + team.Index();
  const bool inside = c < logits.columns;
  const MaskColumn own = inside ? ReadColumn(mask, c) : MaskColumn{};
  const int64_t first = row_tile * kMaskRows, left = logits.rows - first;
  const int64_t end = first + (left < kMaskRows ? left : kMaskRows);
  int of_column = 0;
  for (int64_t row = first; row < end; ++row) {
    const bool stays = mask.positive_R != nullptr && mask.positive_R[row] == c;
    const bool out = inside && !stays && IsLeftOut(mask, row, own);
    if (out) logits.values[row * logits.stride + c] = kNoLogit;
    of_column += out;
    if (mask.out_R == nullptr) continue;
    const int of_row = team.Count(out);
    if (of_row > 0 && team.Index() == 0) team.Add(mask.out_R + row, of_row);
  }
  if (mask.out_C != nullptr && of_column > 0) team.Add(mask.out_C + c, of_column);
}

}  // namespace graticule
