#include "data/loader/worker_pace.h"

#include <algorithm>
#include <cmath>

namespace graticule {
namespace {

constexpr double kReserve = 1.5;
constexpr double kNewest = 0.2;         // weight of the newest batch in the averages
constexpr double kPause = 4;            // times the average: a validation or a checkpoint is no pace
constexpr double kWorthWorkers = 0.02;  // share of the time that the consumer may wait

}  // namespace

void WorkerPace::Taken(double away_s, double waited_s, double busy_s) {
  const bool first = away_s_ == 0 && busy_s_ == 0;
  if (!first) away_s = std::min(away_s, kPause * away_s_ + 1e-3);
  away_s_ += (first ? 1 : kNewest) * (away_s - away_s_);
  busy_s_ += (first ? 1 : kNewest) * (busy_s - busy_s_);
  if (waited_s > kWorthWorkers * (away_s + waited_s)) {
    workers_ = std::min(most_, 2 * workers_);
    return;
  }
  const double needed = std::ceil(kReserve * busy_s_ / std::max(away_s_, 1e-9));
  const int wanted = static_cast<int>(std::clamp(needed, 1.0, static_cast<double>(most_)));
  workers_ = wanted < workers_ ? workers_ - 1 : wanted;
}

}  // namespace graticule
