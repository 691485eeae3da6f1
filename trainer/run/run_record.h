// What a training leaves in its run folder, written by rank 0: metrics.jsonl, events.jsonl, status.json,
// checkpoints, eval/, and the progress line on the terminal.
//
// metrics.jsonl: one row per logged step (step, attempt, wall_s, loss, terms, lr, grad_norm, samples_s,
// data_wait_frac, data {ready, workers, read_s, decode_s, repeated_reads, by_device}, samples, bad_records,
// mem_peak) and per validation (step, attempt, val). `samples` is StepOutcome::samples_digest: equal rows saw
// equal samples. Rows beyond the restored step are dropped at start, so curves never fork. status.json is
// replaced by rename. Only rank 0 makes one; one thread. Failure: Error(kCheckpoint) when a checkpoint cannot
// be written twice in a row; the first time it is an event.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "trainer/run/step_meter.h"
#include "trainer/run/training_parts.h"

namespace graticule {

class RunFolder;

class RunRecord {
 public:
  RunRecord(const RootConfig& config, RunFolder& folder, const TrainState& start, int world_size,
            std::string config_hash);
  ~RunRecord();

  // loader: of this rank, as it stands now.
  void StepIssued(int64_t step, double lr, double data_wait_s, const LoaderStats& loader);
  void StepDone(int64_t step, const StepOutcome& outcome);
  // A record that cannot be used and is replaced; each counts once, whichever rank met it first.
  void Quarantined(int64_t step, const std::string& where, const std::string& reason);
  void StopAsked(int64_t step, const std::string& reason);  // reason: empty where another rank was asked
  void Pause(const std::string& stage);  // validation, checkpoint: time that is not training
  void Resume();
  // Writes eval/<step>/ and a row; returns the figures by name.
  std::map<std::string, double> Validated(int64_t step, const TrainingData& data,
                                          const std::vector<RecordPrediction>& rows);
  // must_succeed: nothing comes after this checkpoint that could make up for it.
  void Save(const TrainState& state, const CheckpointTensors& tensors, bool must_succeed);

 private:
  struct Issued {
    int64_t step;
    double lr;
  };
  void WriteRow(int64_t step, double lr, const StepOutcome& outcome);

  const RootConfig& config_;
  RunFolder& folder_;
  const int64_t total_steps_;
  const int world_size_;
  const std::string config_hash_;
  StepMeter meter_;
  std::deque<Issued> issued_;
  StepMeter::Reading rate_;
  LoaderStats loader_, loader_logged_;  // now, and when a row was written last
  std::string culprit_;                 // the stage that the data wait is spent in: "read" or "decode"
  int failed_saves_ = 0;
  bool warn_of_skips_ = true;
  std::set<std::string> quarantined_;
};

}  // namespace graticule
