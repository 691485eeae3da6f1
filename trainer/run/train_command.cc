#include "trainer/run/train_command.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/run/run_files.h"
#include "trainer/checkpoint/tensor_file.h"
#include "trainer/recipes/registry.h"
#include "trainer/run/run_folder.h"
#include "trainer/run/run_start.h"
#include "trainer/run/training.h"

namespace graticule {
namespace {

// Rank 0's folder for this attempt; elsewhere null. Nothing that an earlier attempt left is touched.
std::unique_ptr<RunFolder> OpenFolder(const TrainCommand& command, const RunStart& start, World& world) {
  if (!world.is_first()) return nullptr;
  const char* restarts = std::getenv("SLURM_RESTART_COUNT");
  if (restarts != nullptr && std::atoi(restarts) > 0) RefuseCrashLoop(command.config.run.dir);
  auto folder = std::make_unique<RunFolder>(command.config.run.dir, command.config.log,
                                            command.config.checkpoint, command.take_lock);
  folder->SetStatus("starting", 0, "");
  for (const std::string& warning : start.warnings) folder->Warn(warning);
  return folder;
}

// Called when nothing can refuse this start any more: the folder becomes that of this attempt.
void RecordStart(const TrainCommand& command, const RunStart& start, const TrainingData& data,
                 const World& world, RunFolder& folder) {
  folder.DropMetricsAfter(start.state.step);
  folder.WriteResolved(command.resolved.resolved_yaml);
  // A run explains itself without the files it was made from: eval, predict and export read this copy.
  if (start.kind == RunStart::Kind::kFresh) data.cells->Save(folder.PathOf("cells.safetensors"));
  folder.Event("start", {{"step", start.state.step},
                         {"world_size", int64_t{world.size}},
                         {"host", world.host},
                         {"config_hash", command.resolved.hash}});
  for (const std::string& line : data.coverage) folder.Say("labels: " + line);
}

// The state to begin with: restored, or new and completed with what the recipe must learn from the data.
TrainState StateAtStart(const TrainCommand& command, const RunStart& start, const TrainingData& data,
                        const World& world) {
  TrainState state = start.state;
  state.threads = PlannedThreads(command.config, state, world);
  state.world_size = world.size;
  if (start.kind == RunStart::Kind::kResume) return state;
  const std::string fitted = world.is_first() ? FitRecipeState(command.config, *data.train) : "";
  state.recipe_state = world.control.BroadcastString(fitted, 0);
  state.seed = static_cast<uint64_t>(command.config.run.seed);
  state.global_batch = command.config.train.global_batch;
  state.data_sha256 = data.train->Sha256();
  state.cells_sha256 = data.cells->Sha256();
  return state;
}

void Restore(const RunStart& start, TrainingParts& parts) {
  const std::string model = JoinPath(start.checkpoint, "model.safetensors");
  CopyTensors(ReadTensors(model), parts.recipe->Parameters(), model);
  const std::string optimizer = JoinPath(start.checkpoint, "optimizer.safetensors");
  CopyTensors(ReadTensors(optimizer), parts.optimizer->State(), optimizer);
}

// The position in the data: a fresh run takes it from the loader, a resumed one must find the same.
void FillPosition(const TrainCommand& command, const RunStart& start, const Loader& loader,
                  TrainState& state) {
  if (start.kind == RunStart::Kind::kResume) {
    if (state.batches_per_epoch != loader.batches_per_epoch()) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("an epoch has {} batches, the checkpoint was trained with {}",
                              loader.batches_per_epoch(), state.batches_per_epoch),
                  start.checkpoint,
                  "restore data.epoch_samples and train.global_batch, or use another run.dir");
    }
    return;
  }
  state.batches_per_epoch = loader.batches_per_epoch();
  state.total_steps = TotalSteps(command.config.train, state.batches_per_epoch);
  state.order = loader.order_name();
}

// folder: rank 0's, null elsewhere.
void Failed(RunFolder* folder, const std::string& run_dir, const World& world, int code,
            const std::string& reason) {
  if (folder != nullptr && !folder->StillOurs()) return;
  WriteRankFailure(PosixFs(), SystemClock(), run_dir, {world.rank, world.host, code, reason});
  if (folder == nullptr) return;
  try {
    folder->EndProgress();
    folder->Event("end", {{"state", "failed"}, {"reason", reason}});
    folder->SetStatus("failed", code, reason);
  } catch (const Error& error) {
    folder->Warn(fmt::format("the failure could not be written down: {}", error.what()));
  }
}

void PrintJson(const TrainCommand& command, const char* name, int code, const TrainState& state) {
  const nlohmann::ordered_json json = {
      {"run", command.config.run.dir},
      {"state", name},
      {"exit_code", code},
      {"step", state.step},
      {"total_steps", state.total_steps},
      {"best", {{"metric", state.best_metric}, {"value", state.best_value}, {"step", state.best_step}}}};
  fmt::print("{}\n", json.dump());
}

int Report(const TrainCommand& command, RunFolder* folder, const Training& training, TrainingEnd end,
           const World& world) {
  const int code = end == TrainingEnd::kFinished    ? 0
                   : end == TrainingEnd::kPreempted ? static_cast<int>(ErrorCode::kPreempted)
                                                    : static_cast<int>(ErrorCode::kNumerics);
  if (folder == nullptr) return code;
  const TrainState& state = training.state();
  folder->EndProgress();
  const std::string at = fmt::format("step {} of {}", state.step, state.total_steps);
  std::string reason;
  if (end == TrainingEnd::kPreempted) {
    reason = "stopped on request";
    folder->Say(fmt::format("stopped at {}, checkpoint written; go on with: {}{}", at,
                            world.size > 1 ? fmt::format("mpirun -n {} --bind-to none ", world.size) : "",
                            command.command_line));
  } else if (end == TrainingEnd::kNumerics) {
    reason = fmt::format("non-finite gradient near {}", at);
    folder->Fail(
        fmt::format("{}: {} (train.non_finite: {})\n  lower optim.lr, set optim.clip_norm, or "
                    "train.non_finite=skip; checkpoints written so far are good",
                    command.config.run.dir, reason, command.config.train.non_finite));
  } else {
    folder->Say(fmt::format("finished at {}", at));
  }
  const char* name = code == 0 ? "finished" : end == TrainingEnd::kPreempted ? "preempted" : "failed";
  folder->Event("end", {{"state", name}, {"step", state.step}});
  folder->SetStatus(name, code, reason);
  if (command.json) PrintJson(command, name, code, state);
  return code;
}

int Run(TrainCommand& command, const RunStart& start, const TrainingData& data, RunFolder* folder,
        World& world) {
  TrainState state = StateAtStart(command, start, data, world);
  at::set_num_threads(state.threads);
  if (world.local_rank == 0) {
    const std::string warning = AffinityWarning(world, state.threads);
    if (!warning.empty()) LogWarn("{}", warning);
  }
  const bool fresh = start.kind == RunStart::Kind::kFresh;
  TrainingParts parts =
      TrainingParts::BuildCollective(command.config, data, state, /*random_init=*/fresh, world);
  FillPosition(command, start, *parts.loader, state);
  if (!fresh) {
    CheckSameInputs(start.state, data.train->Sha256(), data.cells->Sha256(), parts.loader->order_name());
    Restore(start, parts);
  }
  std::unique_ptr<RunRecord> record;
  if (folder != nullptr) {
    RecordStart(command, start, data, world, *folder);
    record = std::make_unique<RunRecord>(command.config, *folder, state, world.size, command.resolved.hash);
    folder->SetStatus("running", 0, "");
  }
  // Where SIGKILL follows SIGTERM by less than a second there is no time for a checkpoint.
  StopRequest stop(world.is_first() ? command.config.run.dir : "",
                   /*term_is_checkpoint=*/!world.under_mpirun);
  Training training(command.config, data, parts, state, record.get(), stop, world);
  const TrainingEnd end = training.LoopCollective();
  return Report(command, folder, training, end, world);
}

}  // namespace

int TrainCollective(TrainCommand& command, World& world) {
  AccumulationSteps(command.config.train,
                    world.size);  // refuses what does not divide, before anything is made
  const LogConfig& log = command.config.log;
  SetLogOptions(
      {.json = log.format == "json", .quiet = log.quiet, .rank = world.rank, .world_size = world.size});
  const RunStart start = FindRunStartCollective(command.config.run.dir, *command.root,
                                                command.resolved.resolved_yaml, command.fresh, world.control);
  if (start.kind == RunStart::Kind::kFinished) {
    if (world.is_first()) {
      LogInfo("{} is finished ({} steps); nothing to do", command.config.run.dir, start.state.step);
      if (command.json) PrintJson(command, "finished", 0, start.state);
    }
    return 0;
  }
  const std::unique_ptr<RunFolder> folder = OpenFolder(command, start, world);
  try {
    const TrainingData data = TrainingData::OpenCollective(command.config, world.control);
    return Run(command, start, data, folder.get(), world);
  } catch (const Error& error) {
    Failed(folder.get(), command.config.run.dir, world, error.exit_code(), error.what());
    throw;
  } catch (const std::exception& error) {
    Failed(folder.get(), command.config.run.dir, world, static_cast<int>(ErrorCode::kBug), error.what());
    throw;
  }
}

}  // namespace graticule
