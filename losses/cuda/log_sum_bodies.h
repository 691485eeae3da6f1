// What one team does in the kernels of log_sums.cu (team.h). `slots`: one for each of its threads, shared.
//
// fp32. Exponents are taken to the largest logit seen so far, and what a thread has summed is rescaled when a
// larger one comes (Milakov and Gimelshein 2018, arXiv 1805.02867). A thread adds kAtOnce values at a time,
// compensated (Kahan), and threads merge pairwise in a fixed order: results do not depend on timing.
// -inf weighs 0; NaN stays NaN. Legend as in contrastive_kernels.h.
#pragma once

#include <math.h>

#include <cstdint>
#include <limits>

#include "losses/contrastive/contrastive_kernels.h"
#include "losses/cuda/team.h"

namespace graticule {

// Sums of e^(slope (l - most)) over values whose largest is `most`. Trivial: it lies in shared memory.
struct LogSum {
  float most, steep, flat;
};

constexpr float kLowestLogit = std::numeric_limits<float>::lowest();  // -inf less it is no NaN
constexpr int kAtOnce = 8;                                            // loads in flight per thread
constexpr int kColumnsAtOnce = 32;  // neighbours: a warp reads whole cache lines

// difference = -inf times a slope of 0 would be NaN.
GRATICULE_BOTH float Weight(float slope, float difference) {
  return difference == kNoLogit ? 0.0f : expf(slope * difference);
}

struct CompensatedSum {
  float sum = 0, lost = 0;
  GRATICULE_BOTH void Add(float x) {
    const float y = x - lost, next = sum + y;
    lost = (next - sum) - y;
    sum = next;
  }
  GRATICULE_BOTH void Scale(float by) { sum *= by, lost *= by; }
};

// first[0], first[step], ... first[(count - 1) * step].
GRATICULE_BOTH LogSum SumEvery(const float* first, int64_t count, int64_t step, Slopes slopes) {
  const bool flat_too = slopes.flat >= 0;
  float most = kLowestLogit;
  CompensatedSum steep, flat;
  for (int64_t i = 0; i < count; i += kAtOnce) {
    float x[kAtOnce], larger = most;
    for (int k = 0; k < kAtOnce; ++k) x[k] = i + k < count ? first[(i + k) * step] : kNoLogit;
    for (int k = 0; k < kAtOnce; ++k) larger = fmaxf(larger, x[k]);
    if (larger > most) {
      steep.Scale(expf(slopes.steep * (most - larger)));
      if (flat_too) flat.Scale(expf(slopes.flat * (most - larger)));
      most = larger;
    }
    float steep_part = 0, flat_part = 0;
    for (int k = 0; k < kAtOnce; ++k) steep_part += Weight(slopes.steep, x[k] - most);
    steep.Add(steep_part);
    if (!flat_too) continue;
    for (int k = 0; k < kAtOnce; ++k) flat_part += Weight(slopes.flat, x[k] - most);
    flat.Add(flat_part);
  }
  return {most, steep.sum, flat.sum};
}

GRATICULE_BOTH LogSum Merge(const LogSum& a, const LogSum& b, Slopes slopes) {
  LogSum all{fmaxf(a.most, b.most), 0, 0};
  all.steep =
      a.steep * expf(slopes.steep * (a.most - all.most)) + b.steep * expf(slopes.steep * (b.most - all.most));
  if (slopes.flat >= 0)
    all.flat =
        a.flat * expf(slopes.flat * (a.most - all.most)) + b.flat * expf(slopes.flat * (b.most - all.most));
  return all;
}

// Threads lane = 0 .. lanes - 1 of a line stand `apart` slots from one another; lane 0 gets the whole line.
template <class Team>
GRATICULE_BOTH LogSum MergeLanes(Team& team, LogSum* slots, int lanes, int apart, const LogSum& own,
                                 Slopes slopes) {
  LogSum* const slot = slots + team.Index();
  const int lane = team.Index() / apart;
  *slot = own;
  team.Barrier();
  for (int left = lanes; left > 1;) {
    const int half = (left + 1) / 2;
    if (lane + half < left) *slot = Merge(*slot, slot[half * apart], slopes);
    team.Barrier();
    left = half;
  }
  return *slot;
}

GRATICULE_BOTH void StoreLogs(const LogSum& sum, Slopes slopes, float* out) {
  const bool none = sum.steep == 0;  // the largest alone weighs 1
  out[0] = none ? kNoLogit : slopes.steep * sum.most + logf(sum.steep);
  out[1] = none || slopes.flat < 0 ? out[0] : slopes.flat * sum.most + logf(sum.flat);
}

GRATICULE_BOTH int64_t Every(int64_t total, int64_t first, int64_t step) {
  return total > first ? (total - first + step - 1) / step : 0;
}

// One team a row -> sums [R, 2].
template <class Team>
GRATICULE_BOTH void LogSumsOfRow(Team& team, LogSum* slots, const LogitBlock& logits, int64_t row,
                                 Slopes slopes, float* sums) {
  const int lane = team.Index(), lanes = team.Size();
  const float* first = logits.values + row * logits.stride + lane;
  const LogSum own = SumEvery(first, Every(logits.columns, lane, lanes), lanes, slopes);
  const LogSum all = MergeLanes(team, slots, lanes, 1, own, slopes);
  if (lane == 0) StoreLogs(all, slopes, sums + 2 * row);
}

// One team kColumnsAtOnce columns, of which its size is a multiple -> sums [C, 2].
template <class Team>
GRATICULE_BOTH void LogSumsOfColumns(Team& team, LogSum* slots, const LogitBlock& logits, int64_t tile,
                                     Slopes slopes, float* sums) {
  const int64_t column = tile * kColumnsAtOnce + team.Index() % kColumnsAtOnce;
  const int lane = team.Index() / kColumnsAtOnce, lanes = team.Size() / kColumnsAtOnce;
  const bool inside = column < logits.columns;
  const float* first = logits.values + lane * logits.stride + column;
  const int64_t count = inside ? Every(logits.rows, lane, lanes) : 0;
  const LogSum own = SumEvery(first, count, lanes * logits.stride, slopes);
  const LogSum all = MergeLanes(team, slots, lanes, kColumnsAtOnce, own, slopes);
  if (inside && lane == 0) StoreLogs(all, slopes, sums + 2 * column);
}

}  // namespace graticule
