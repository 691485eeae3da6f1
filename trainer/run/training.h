// The step loop of one attempt: batches, steps, metrics, validation, checkpoints, requests to stop.
//
// Every rank runs the same loop and takes the same branches: what only one rank knows (a signal, a file in
// the run folder, a time interval that has passed) travels with the step's control all-reduce before anybody
// acts on it. Outcomes of a step are read one step later, and all of them before a checkpoint is written, so
// that metrics.jsonl never lacks a row below the newest checkpoint. Rank 0 writes the run folder. One thread.
// Failure: Error from the parts; a non-finite step under train.non_finite: stop ends the loop with kNumerics
// on all ranks.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "trainer/run/run_record.h"
#include "trainer/run/training_parts.h"
#include "trainer/step/stop_request.h"

namespace graticule {

enum class TrainingEnd { kFinished, kPreempted, kNumerics };

class Training {
 public:
  // record: rank 0's, null elsewhere.
  Training(const RootConfig& config, const TrainingData& data, TrainingParts& parts, TrainState state,
           RunRecord* record, StopRequest& stop, World& world);

  TrainingEnd LoopCollective();
  const TrainState& state() const { return state_; }

 private:
  using Clock = std::chrono::steady_clock;

  StepRequest RequestOfThisRank();
  // Goes to the epoch and batch of the state; where plans are followed, with the epoch's plan. false: the
  // policy says stop.
  bool SeekCollective();
  bool ReadOutcomes(size_t leave);  // false: the policy says stop
  bool IsDue(int64_t every_steps) const;
  int64_t SkipsAllowed() const;
  void ReportQuarantineCollective(int64_t bad_records);
  void ValidateCollective();
  void SaveCollective(bool must_succeed);

  const RootConfig& config_;
  const TrainingData& data_;
  TrainingParts& parts_;
  TrainState state_;
  RunRecord* record_;
  StopRequest& stop_;
  World& world_;
  int64_t outcomes_read_ = 0;  // step number of the last outcome that was read
  int64_t skipped_here_ = 0;   // in this attempt
  int64_t bad_reported_ = 0;   // over all ranks
  size_t bad_reported_here_ = 0;
  int64_t saved_step_ = -1;
  Clock::time_point saved_at_ = Clock::now();
};

}  // namespace graticule
