#include "trainer/run/run_record.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/progress.h"
#include "trainer/checkpoint/tensor_file.h"
#include "trainer/eval/report.h"
#include "trainer/run/run_folder.h"

namespace graticule {
namespace {

double Now() { return SystemClock().MonotonicSeconds(); }

int64_t PeakMemoryBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

RunRecord::RunRecord(const RootConfig& config, RunFolder& folder, const TrainState& start, int world_size,
                     std::string config_hash)
    : config_(config),
      folder_(folder),
      total_steps_(start.total_steps),
      world_size_(world_size),
      config_hash_(std::move(config_hash)),
      meter_(config.train.global_batch, Now) {
  folder_.BeginProgress(start.step, start.total_steps);
}

RunRecord::~RunRecord() = default;

void RunRecord::StepIssued(int64_t step, double lr, double data_wait_s, const LoaderStats& loader) {
  loader_ = loader;
  issued_.push_back({step, lr});
  meter_.AddStep(data_wait_s);
}

void RunRecord::StepDone(int64_t step, const StepOutcome& outcome) {
  GRATICULE_CHECK(!issued_.empty() && issued_.front().step == step);
  const double lr = issued_.front().lr;
  issued_.pop_front();
  if (!outcome.finite) {
    folder_.Event("non_finite_step", {{"step", step}, {"policy", config_.train.non_finite}});
    if (config_.train.non_finite == "skip" && std::exchange(warn_of_skips_, false)) {
      folder_.Warn(
          fmt::format("step {} has a non-finite gradient and is skipped; further ones are counted in "
                      "events.jsonl",
                      step));
    }
  }
  const bool log = step % config_.log.every_steps == 0 || step == total_steps_ || !outcome.finite;
  if (log) WriteRow(step, lr, outcome);
  folder_.Progress(step, fmt::format("loss {:.4f} | {} samples/s | data wait {:.0f} % ({}{} ready)",
                                     outcome.loss, FormatRate(rate_.samples_s), 100 * rate_.data_wait_frac,
                                     culprit_.empty() ? "" : culprit_ + ", ", loader_.ready));
}

void RunRecord::WriteRow(int64_t step, double lr, const StepOutcome& outcome) {
  // Rows that come together, as before a checkpoint, share the rate of the first.
  if (meter_.steps() > 0) rate_ = meter_.Read();
  // Seconds of the decoding threads since the last row: where a wait for data comes from.
  const double read_s = loader_.read_s - loader_logged_.read_s,
               decode_s = loader_.decode_s - loader_logged_.decode_s;
  if (read_s + decode_s > 0) culprit_ = read_s > decode_s ? "read" : "decode";
  loader_logged_ = loader_;
  folder_.AppendMetrics({{"step", step},
                         {"attempt", folder_.attempt()},
                         {"wall_s", folder_.seconds_since_start()},
                         {"loss", outcome.loss},
                         {"terms", outcome.terms},
                         {"lr", lr},
                         {"grad_norm", outcome.grad_norm},
                         {"samples_s", rate_.samples_s},
                         {"data_wait_frac", rate_.data_wait_frac},
                         {"data_culprit", culprit_},
                         {"data", JsonNumbers{{"ready", static_cast<double>(loader_.ready)},
                                              {"workers", loader_.workers},
                                              {"read_s", read_s},
                                              {"decode_s", decode_s},
                                              {"repeated_reads", loader_.io_retries},
                                              {"by_device", loader_.by_device}}},
                         {"samples", fmt::format("{:014x}", outcome.samples_digest)},
                         {"bad_records", static_cast<int64_t>(quarantined_.size())},
                         {"mem_peak", PeakMemoryBytes()}});
}

void RunRecord::Quarantined(int64_t step, const std::string& where, const std::string& reason) {
  if (!quarantined_.insert(where).second) return;
  folder_.Event("quarantine", {{"step", step}, {"record", where}, {"reason", reason}});
  folder_.Warn(fmt::format("{}: {}; another record takes its place", where, reason));
}

void RunRecord::StopAsked(int64_t step, const std::string& reason) {
  folder_.Event("stop_requested", {{"step", step}, {"by", reason.empty() ? "another rank" : reason}});
}

void RunRecord::Pause(const std::string& stage) {
  meter_.Pause();
  folder_.SetStage(stage);
}

void RunRecord::Resume() {
  meter_.Resume();
  folder_.SetStage("step");
}

std::map<std::string, double> RunRecord::Validated(int64_t step, const TrainingData& data,
                                                   const std::vector<RecordPrediction>& rows) {
  std::vector<EvalRow> eval_rows = ToEvalRows(*data.val, rows);
  EvalProvenance provenance;
  provenance.set = "val";
  provenance.data_sha256 = data.val->Sha256();
  if (data.cells != nullptr) provenance.cells_sha256 = data.cells->Sha256();
  if (data.gallery != nullptr) {
    provenance.gallery_sha256 = data.gallery->Sha256();
    provenance.ceiling = CeilingOf(*data.gallery, eval_rows);
  }
  provenance.model = folder_.path();
  provenance.step = step;
  provenance.protocol["weights"] = config_.optim.ema_decay > 0 ? "ema" : "raw";
  // Intervals cost a thousand resamples: `graticule eval` gives them for the final model.
  const Evaluation evaluation = WriteEvaluation(PosixFs(), folder_.PathOf("eval/val"), std::move(eval_rows),
                                                provenance, {.replicates = 0});
  const auto figures = evaluation.all.Named();
  folder_.AppendMetrics({{"step", step},
                         {"attempt", folder_.attempt()},
                         {"wall_s", folder_.seconds_since_start()},
                         {"val", figures}});
  folder_.Say(fmt::format("step {}: validation median {:.0f} km, within 750 km {:.1f} %", step,
                          figures.at("median_km"), 100 * figures.at("acc_750")));
  return figures;
}

void RunRecord::Save(const TrainState& state, const CheckpointTensors& tensors, bool must_succeed) {
  const double begin_s = Now();
  try {
    CheckpointInfo about;
    about.step = state.step;
    about.world_size = world_size_;
    about.config_hash = config_hash_;
    about.extra = {{"data_sha256", state.data_sha256}};
    folder_.PublishCheckpoint(about, BytesOf(tensors), [&](CheckpointWriter& out) {
      for (const auto& [file, list] : tensors) WriteTensors(out, file, list);
      out.Write("state.json", ToJson(state));
    });
    if (state.best_step == state.step) {
      folder_.RecordScore(state.step, state.best_metric,
                          SmallerIsBetter(state.best_metric) ? -state.best_value : state.best_value);
    }
    folder_.Event("checkpoint", {{"step", state.step}, {"seconds", Now() - begin_s}});
    failed_saves_ = 0;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCheckpoint || ++failed_saves_ >= 2 || must_succeed) throw;
    folder_.Event("checkpoint_failed", {{"step", state.step}, {"reason", error.what()}});
    folder_.Warn(fmt::format("checkpoint of step {} failed, training goes on: {}", state.step, error.what()));
  }
}

}  // namespace graticule
