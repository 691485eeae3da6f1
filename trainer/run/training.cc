#include "trainer/run/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "trainer/checkpoint/replica_check.h"

namespace graticule {

Training::Training(const RootConfig& config, const TrainingData& data, TrainingParts& parts, TrainState state,
                   RunRecord* record, StopRequest& stop, World& world)
    : config_(config),
      data_(data),
      parts_(parts),
      state_(std::move(state)),
      record_(record),
      stop_(stop),
      world_(world),
      outcomes_read_(state_.step),
      saved_step_(state_.step > 0 ? state_.step : -1) {}

StepRequest Training::RequestOfThisRank() {
  StepRequest request{.stop = stop_.StopAsked(),
                      .save = stop_.SaveAsked(),
                      .bad_records = parts_.loader->stats().bad_records};
  const double since_s = std::chrono::duration<double>(Clock::now() - saved_at_).count();
  if (world_.is_first() && config_.checkpoint.every_s > 0 && since_s >= config_.checkpoint.every_s)
    request.save = true;
  return request;
}

bool Training::IsDue(int64_t every_steps) const { return every_steps > 0 && state_.step % every_steps == 0; }

TrainingEnd Training::LoopCollective() {
  const int64_t batch = config_.train.global_batch, total = state_.total_steps * batch;
  if (!SeekCollective()) return TrainingEnd::kNumerics;
  while (!state_.finished()) {
    const Batch* share = parts_.loader->Next();
    GRATICULE_CHECK(share != nullptr);
    const double lr = config_.optim.lr * ScheduleFactor(config_.schedule, state_.samples, batch, total);
    StepRequest request = RequestOfThisRank();
    parts_.step->RunCollective(*share, state_.samples, lr, request);
    if (record_ != nullptr) record_->StepIssued(state_.step + 1, lr, share->wait_s, parts_.loader->stats());
    parts_.step->WaitForImages();
    parts_.loader->Release(share);
    ++state_.step;
    state_.samples += batch;

    ReportQuarantineCollective(request.bad_records);
    // Whoever asks to stop may have little time: the checkpoint comes at once.
    const bool validate =
        data_.val != nullptr && (state_.finished() || (IsDue(config_.eval.every_steps) && !request.stop));
    const bool save =
        request.stop || request.save || IsDue(config_.checkpoint.every_steps) || state_.finished();
    // The newest outcome stays unread while the device works on, except where state must be complete.
    if (!ReadOutcomes(validate || save ? 0 : 1)) return TrainingEnd::kNumerics;
    const int64_t best_before = state_.best_step;
    if (validate) ValidateCollective();
    if (save || state_.best_step != best_before) SaveCollective(request.stop || state_.finished());
    if (request.stop && !state_.finished()) {
      if (record_ != nullptr) record_->StopAsked(state_.step, stop_.reason());
      return TrainingEnd::kPreempted;
    }
    const bool next_epoch = state_.step % state_.batches_per_epoch == 0 && !state_.finished();
    if (parts_.plans != nullptr && next_epoch && !SeekCollective()) return TrainingEnd::kNumerics;
  }
  return TrainingEnd::kFinished;
}

bool Training::SeekCollective() {
  const int64_t epoch = state_.step / state_.batches_per_epoch,
                batch = state_.step % state_.batches_per_epoch;
  if (parts_.plans != nullptr) {
    if (record_ != nullptr) record_->Pause("plan");
    // A plan that is made of these weights can be made again of this checkpoint.
    if (batch == 0 && parts_.plans->NeedsWeights(epoch)) {
      if (!ReadOutcomes(0)) return false;
      SaveCollective(/*must_succeed=*/false);
    }
    parts_.plans->PrepareCollective(epoch, /*begun=*/batch > 0, *parts_.recipe, state_);
    if (record_ != nullptr) record_->Resume();
  }
  parts_.loader->Seek(epoch, batch);
  return true;
}

// A run most of whose steps change nothing must not end as a success.
int64_t Training::SkipsAllowed() const {
  return std::min(config_.train.max_skipped, std::max<int64_t>(3, state_.total_steps / 10));
}

bool Training::ReadOutcomes(size_t leave) {
  while (parts_.step->unread() > leave) {
    const StepOutcome outcome = *parts_.step->ReadOutcome();
    ++outcomes_read_;
    if (!outcome.finite) {
      ++state_.skipped;
      ++skipped_here_;
    }
    if (record_ != nullptr) record_->StepDone(outcomes_read_, outcome);
    if (!outcome.finite && (config_.train.non_finite == "stop" || skipped_here_ > SkipsAllowed()))
      return false;
  }
  return true;
}

// Each rank knows the bad records of its own share; what is new travels to rank 0 when their number has
// grown.
void Training::ReportQuarantineCollective(int64_t bad_records) {
  if (bad_records == bad_reported_) return;
  bad_reported_ = bad_records;
  const std::vector<BadRecord> found = parts_.loader->quarantine();
  nlohmann::json fresh = nlohmann::json::array();
  for (; bad_reported_here_ < found.size(); ++bad_reported_here_) {
    const BadRecord& bad = found[bad_reported_here_];
    fresh.push_back({data_.train->Locate(bad.record), bad.reason});
  }
  std::string packed;  // not as text: a reason may quote any bytes
  nlohmann::json::to_msgpack(fresh, packed);
  for (const std::string& rank : world_.control.GatherStrings(packed)) {
    if (record_ == nullptr) continue;
    for (const auto& bad : nlohmann::json::from_msgpack(rank))
      record_->Quarantined(state_.step, bad.at(0), bad.at(1));
  }
}

void Training::ValidateCollective() {
  if (record_ != nullptr) record_->Pause("validate");
  PredictOptions options = EvaluationOptions(config_, world_);
  options.embeddings = data_.val_embeddings;
  const WithAverage averaged(parts_.average.get());
  const auto rows = PredictDatasetCollective(*parts_.recipe, data_.val, options, world_.control);
  std::map<std::string, double> metrics;
  if (world_.is_first()) metrics = record_->Validated(state_.step, data_, rows);
  // Rank 0 alone holds the rows; the others need the verdict, because a new best is saved by all.
  const double value = world_.control.SumScalar(world_.is_first() ? metrics.at(config_.eval.metric) : 0.0);
  const bool first = state_.best_metric != config_.eval.metric;
  if (first ||
      (SmallerIsBetter(config_.eval.metric) ? value < state_.best_value : value > state_.best_value)) {
    state_.best_metric = config_.eval.metric;
    state_.best_value = value;
    state_.best_step = state_.step;
  }
  if (record_ != nullptr) record_->Resume();
}

void Training::SaveCollective(bool must_succeed) {
  if (saved_step_ == state_.step && state_.best_step != state_.step) return;
  const CheckpointTensors tensors = parts_.Tensors();
  std::vector<NamedTensor> replicated;
  for (const auto& [file, list] : tensors) replicated.insert(replicated.end(), list.begin(), list.end());
  CheckReplicasCollective(replicated, state_.step, world_.control);
  if (record_ != nullptr) {
    record_->Pause("checkpoint");
    record_->Save(state_, tensors, must_succeed);
    record_->Resume();
  }
  world_.control.Barrier();
  saved_step_ = state_.step;
  saved_at_ = Clock::now();
}

}  // namespace graticule
