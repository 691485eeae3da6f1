// What one team does in the gradient's kernel of log_sums.cu: part of a row of logits becomes their gradient.
//
// fp32, every logit by itself; threads share nothing. -inf becomes 0; NaN stays NaN. Legend as in
// contrastive_kernels.h; team.h says what a Team is.
#pragma once

#include <math.h>

#include <cstdint>

#include "losses/contrastive/contrastive_kernels.h"
#include "losses/cuda/team.h"

namespace graticule {

constexpr int kGradientsAtOnce = 8;     // loads in flight per thread
constexpr int64_t kTileColumns = 8192;  // of a row that one team writes

// d loss / d l of one direction, from A, E and kappa of its line. l is no -inf.
GRATICULE_BOTH float LogitGradient(float l, Slopes slopes, const float* line) {
  float gradient = expf(slopes.steep * l - line[0]);
  if (slopes.flat >= 0) gradient = slopes.steep * gradient - slopes.flat * expf(slopes.flat * l - line[1]);
  return line[2] * gradient;
}

// One team kTileColumns of a row, in place.
template <class Team>
GRATICULE_BOTH void GradientOfTile(Team& team, const LogitBlock& logits, Slopes slopes,
                                   const LineStatistics& rows, const LineStatistics& columns, int64_t row,
                                   int64_t tile) {
  float* const values = logits.values + row * logits.stride;
  const float line[3] = {rows.values[3 * row], rows.values[3 * row + 1],
                         rows.values[3 * row + 2] * rows.share};
  const int64_t rest = logits.columns - tile * kTileColumns;
  const int64_t end = tile * kTileColumns + (rest < kTileColumns ? rest : kTileColumns);
  for (int64_t c = tile * kTileColumns + team.Index(); c < end; c += kGradientsAtOnce * team.Size()) {
    float l[kGradientsAtOnce];
    for (int k = 0; k < kGradientsAtOnce; ++k) {
      const int64_t here = c + k * team.Size();
      l[k] = here < end ? values[here] : kNoLogit;
    }
    for (int k = 0; k < kGradientsAtOnce; ++k) {
      const int64_t here = c + k * team.Size();
      if (here >= end) break;
      float gradient = 0;
      if (l[k] != kNoLogit) {
        gradient = LogitGradient(l[k], slopes, line);
        if (here < columns.count)
          gradient += columns.share * LogitGradient(l[k], slopes, columns.values + 3 * here);
      }
      values[here] = gradient;
    }
  }
}

}  // namespace graticule
