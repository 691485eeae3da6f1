#include "trainer/run/run_record.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "trainer/checkpoint/tensor_file.h"
#include "trainer/eval/report.h"
#include "trainer/run/run_folder.h"

namespace graticule {
namespace {

double MonotonicSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t PeakMemoryBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

// JSON has no NaN: a non-finite figure is null.
nlohmann::ordered_json Number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json Numbers(const std::map<std::string, double>& values) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : values) object[name] = Number(value);
  return object;
}

}  // namespace

RunRecord::RunRecord(const RootConfig& config, RunFolder& folder, const TrainState& start)
    : config_(config),
      folder_(folder),
      total_steps_(start.total_steps),
      meter_(config.train.global_batch, MonotonicSeconds) {}

RunRecord::~RunRecord() = default;

void RunRecord::StepIssued(int64_t step, double lr, double data_wait_s) {
  issued_.push_back({step, lr});
  meter_.AddStep(data_wait_s);
}

void RunRecord::StepDone(int64_t step, const StepOutcome& outcome) {
  GRATICULE_CHECK(!issued_.empty() && issued_.front().step == step);
  const double lr = issued_.front().lr;
  issued_.pop_front();
  if (!outcome.finite) {
    folder_.Event("non_finite_step", {{"step", std::to_string(step)}, {"policy", config_.train.non_finite}});
  }
  const bool log = step % config_.log.every_steps == 0 || step == total_steps_ || !outcome.finite;
  if (log) WriteRow(step, lr, outcome);
  ShowProgress(step, outcome);
}

void RunRecord::WriteRow(int64_t step, double lr, const StepOutcome& outcome) {
  // Rows that come together, as before a checkpoint, share the rate of the first.
  if (meter_.steps() > 0) rate_ = meter_.Read();
  const nlohmann::ordered_json row = {{"step", step},
                                      {"attempt", folder_.attempt()},
                                      {"wall_s", folder_.seconds_since_start()},
                                      {"loss", Number(outcome.loss)},
                                      {"terms", Numbers(outcome.terms)},
                                      {"lr", lr},
                                      {"grad_norm", Number(outcome.grad_norm)},
                                      {"samples_s", rate_.samples_s},
                                      {"data_wait_frac", rate_.data_wait_frac},
                                      {"mem_peak", PeakMemoryBytes()}};
  folder_.AppendMetrics(row.dump());
}

void RunRecord::ShowProgress(int64_t step, const StepOutcome& outcome) {
  folder_.Progress(step, total_steps_,
                   fmt::format("loss {:.4f}  {:.0f} samples/s  data {:.0f} %", outcome.loss, rate_.samples_s,
                               100 * rate_.data_wait_frac),
                   meter_.eta_s(total_steps_ - step));
}

void RunRecord::Pause(const std::string& stage) {
  meter_.Pause();
  folder_.SetStage(stage);
}

void RunRecord::Resume() {
  meter_.Resume();
  folder_.SetStage("train");
}

std::map<std::string, double> RunRecord::Validated(int64_t step, const TrainingData& data,
                                                   const std::vector<RecordPrediction>& rows) {
  EvalProvenance provenance;
  provenance.set = "val";
  provenance.data_sha256 = data.val->Sha256();
  provenance.cells_sha256 = data.cells->Sha256();
  provenance.model = folder_.path();
  provenance.step = step;
  // Intervals cost a thousand resamples: `graticule eval` gives them for the final model.
  const Evaluation evaluation = WriteEvaluation(PosixFs(), folder_.PathOf("eval/val"),
                                                ToEvalRows(*data.val, rows), provenance, {.replicates = 0});
  const auto figures = evaluation.all.Named();
  const nlohmann::ordered_json row = {{"step", step},
                                      {"attempt", folder_.attempt()},
                                      {"wall_s", folder_.seconds_since_start()},
                                      {"val", Numbers(figures)}};
  folder_.AppendMetrics(row.dump());
  folder_.Say(fmt::format("step {}: validation median {:.0f} km, within 750 km {:.1f} %", step,
                          figures.at("median_km"), 100 * figures.at("acc_750")));
  return figures;
}

void RunRecord::Save(const TrainState& state, const std::vector<NamedTensor>& model,
                     const std::vector<NamedTensor>& optimizer, bool must_succeed) {
  try {
    const double begin = MonotonicSeconds();
    const std::string folder = folder_.BeginCheckpoint(state.step);
    WriteTensors(PosixFs(), JoinPath(folder, "model.safetensors"), model);
    WriteTensors(PosixFs(), JoinPath(folder, "optimizer.safetensors"), optimizer);
    WriteFileAtomically(PosixFs(), JoinPath(folder, "state.json"), ToJson(state));
    folder_.PublishCheckpoint(state.step, config_.checkpoint.keep, state.best_step);
    folder_.Event("checkpoint", {{"step", std::to_string(state.step)},
                                 {"seconds", fmt::format("{:.3f}", MonotonicSeconds() - begin)}});
    failed_saves_ = 0;
  } catch (const Error& error) {
    folder_.Event("checkpoint_failed", {{"step", std::to_string(state.step)}, {"reason", error.what()}});
    folder_.Say(fmt::format("warning: checkpoint of step {} failed: {}", state.step, error.what()));
    if (++failed_saves_ >= 2 || must_succeed) {
      throw Error(ErrorCode::kCheckpoint,
                  fmt::format("the checkpoint of step {} failed: {}", state.step, error.message()),
                  error.where(),
                  "free space or repair the storage, then start again: the last good checkpoint is kept");
    }
  }
}

}  // namespace graticule
