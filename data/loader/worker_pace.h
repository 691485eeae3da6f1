// How many workers of a loader take rows: as many as keep up with the consumer, with half as many again in
// reserve. The others sleep, so that a step that computes on the same cores is not interrupted by batches it
// does not need yet.
//
// Fed once a batch. A wait of the consumer doubles the number at once; a surplus takes one away at a time.
// What is loaded never depends on it. Not thread-safe.
#pragma once

namespace graticule {

class WorkerPace {
 public:
  explicit WorkerPace(int most) : most_(most), workers_(most) {}

  // Seconds: the consumer was away since its last batch, waited for this one, and the workers together were
  // busy meanwhile.
  void Taken(double away_s, double waited_s, double busy_s);

  int workers() const { return workers_; }  // 1 .. most; all of them at first

 private:
  const int most_;
  int workers_;
  double away_s_ = 0, busy_s_ = 0;  // moving averages; 0 before the first batch
};

}  // namespace graticule
