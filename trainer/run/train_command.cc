#include "trainer/run/train_command.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/run/run_files.h"
#include "base/run/stack_dump.h"
#include "trainer/checkpoint/tensor_file.h"
#include "trainer/recipes/registry.h"
#include "trainer/run/training.h"

namespace graticule {
namespace {

// Called when nothing can refuse this start any more: the folder becomes that of this attempt.
void RecordStart(const TrainCommand& command, const RunStart& start, const TrainingData& data,
                 const World& world, RunFolder& folder) {
  folder.DropMetricsAfter(start.state.step);
  folder.WriteResolved(command.resolved.resolved_yaml);
  // A run explains itself without the files it was made from: eval, predict and export read this copy.
  if (start.kind == RunStart::Kind::kFresh) {
    if (data.cells != nullptr) data.cells->Save(folder.PathOf("cells.safetensors"));
    if (data.gallery != nullptr) data.gallery->Save(folder.PathOf("gallery.safetensors"));
  }
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
  data.FillHashes(state);
  return state;
}

// folder: rank 0's, null elsewhere.
void Restore(const RunStart& start, TrainingParts& parts, RunFolder* folder, TrainState& state) {
  const bool averaged = PosixFs().Exists(JoinPath(start.checkpoint, kAverageFile));
  for (const auto& [file, tensors] : parts.Tensors()) {
    if (file == kAverageFile && !averaged) continue;
    const std::string path = JoinPath(start.checkpoint, file);
    CopyTensors(ReadTensors(path), tensors, path);
  }
  if (averaged == (parts.average != nullptr)) return;
  if (parts.average != nullptr) parts.average->Restart();
  state.best_metric.clear();  // scores of weights and of their average do not compare
  if (folder == nullptr) return;
  folder->Warn(averaged ? fmt::format("optim.ema_decay is 0: the average of the weights in {} is dropped",
                                      start.checkpoint)
                        : fmt::format("there is no average of the weights in {}: it starts as the weights of "
                                      "step {}",
                                      start.checkpoint, start.state.step));
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

std::string StacksOf(const std::string& run_dir, const World& world) {
  return JoinPath(JoinPath(run_dir, "failure"), fmt::format("rank_{}.stacks.txt", world.rank));
}

// folder: rank 0's, null elsewhere.
void Failed(RunFolder* folder, const std::string& run_dir, const World& world, const Error& error) {
  if (folder != nullptr && !folder->StillOurs()) return;
  WriteRankFailure(PosixFs(), SystemClock(), run_dir,
                   {world.rank, world.host, error.exit_code(), error.what()});
  // Who waits for whom is only to be seen as long as all of them wait.
  if (error.code() == ErrorCode::kPeer) DumpStacks(StacksOf(run_dir, world), error.what());
  if (folder == nullptr) return;
  try {
    folder->EndProgress();
    folder->Event("end", {{"state", "failed"}, {"reason", error.what()}});
    folder->SetStatus("failed", error.exit_code(), error.what());
  } catch (const Error& problem) {
    folder->Warn(fmt::format("the failure could not be written down: {}", problem.what()));
  }
}

void PrintJson(const TrainCommand& command, const char* name, int code, const TrainState& state) {
  const nlohmann::ordered_json json = {
      {"run", command.config.run.dir},
      {"state", name},
      {"exit_code", code},
      {"step", state.step},
      {"total_steps", state.total_steps},
      {"skipped", state.skipped},
      {"best", {{"metric", state.best_metric}, {"value", state.best_value}, {"step", state.best_step}}}};
  fmt::print("{}\n", JsonText(json));
}

int Report(const TrainCommand& command, RunFolder* folder, const Training& training, TrainingEnd end,
           const World& world) {
  const int code = end == TrainingEnd::kFinished    ? 0
                   : end == TrainingEnd::kPreempted ? static_cast<int>(ErrorCode::kPreempted)
                                                    : static_cast<int>(ErrorCode::kNumerics);
  if (folder == nullptr) return code;
  const TrainState& state = training.state();
  folder->EndProgress();
  std::string at = fmt::format("step {} of {}", state.step, state.total_steps);
  if (state.skipped > 0 && command.config.train.non_finite == "skip")
    at += fmt::format(" ({} of them skipped, non-finite)", state.skipped);
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
  folder->SetStatus(name, code, reason, state.step);
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
    TrainState now;
    data.FillHashes(now);
    now.order = parts.loader->order_name();
    CheckSameInputs(start.state, now);
    Restore(start, parts, folder, state);
  }
  const DataConfig& named = command.config.data;
  const auto first = [](const std::vector<std::string>& stores) { return stores.empty() ? "" : stores[0]; };
  CheckTower(*parts.recipe, {{data.train_embeddings.get(), first(named.train_embeddings)},
                             {data.val_embeddings.get(), first(named.val_embeddings)}});
  std::unique_ptr<RunRecord> record;
  if (folder != nullptr) {
    folder->CheckFreeSpace(BytesOf(parts.Tensors()));
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

TrainBegin BeginTraining(TrainCommand& command) {
  const std::string& dir = command.config.run.dir;
  const char* restarts = std::getenv("SLURM_RESTART_COUNT");
  if (restarts != nullptr && std::atoi(restarts) > 0) RefuseCrashLoop(dir);
  TrainBegin begin{.first = true};
  // Looked at under the lock: what another process still writes is no state to begin with.
  begin.folder =
      std::make_unique<RunFolder>(dir, command.config.log, command.config.checkpoint, command.take_lock);
  begin.start = FindRunStart(dir, *command.root, command.resolved.resolved_yaml, command.fresh);
  if (begin.start.kind == RunStart::Kind::kFinished) {
    begin.folder.reset();
    return begin;
  }
  if (begin.start.kind == RunStart::Kind::kFresh) CheckStartFiles(command.config);
  begin.folder->BeginAttempt();
  return begin;
}

int TrainCollective(TrainCommand& command, TrainBegin begin, World& world) {
  if (begin.first != world.is_first()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("MPI calls this process rank {}, the launcher's variables do not", world.rank),
                "", "start it with mpirun or srun --mpi=pmix");
  }
  const LogConfig& log = command.config.log;
  SetLogOptions(
      {.json = log.format == "json", .quiet = log.quiet, .rank = world.rank, .world_size = world.size});
  const std::string& dir = command.config.run.dir;
  const RunStart start = ShareRunStartCollective(begin.start, world.control);
  if (start.kind == RunStart::Kind::kFinished) {
    if (world.is_first()) {
      LogInfo("{} is finished ({} steps); nothing to do", dir, start.state.step);
      if (command.json) PrintJson(command, "finished", 0, start.state);
    }
    return 0;
  }
  DumpStacksOnFatalSignal(StacksOf(dir, world));
  RunFolder* const folder = begin.folder.get();
  try {
    AccumulationSteps(command.config.train, world.size);  // refuses what does not divide
    if (folder != nullptr) {
      for (const std::string& warning : begin.start.warnings) folder->Warn(warning);
      for (const std::string& warning : RecipeWarnings(command.config, start.state.recipe_state))
        folder->Warn(warning);
    }
    const TrainingData data = TrainingData::OpenCollective(command.config, world.control);
    return Run(command, start, data, folder, world);
  } catch (const Error& error) {
    Failed(folder, dir, world, error);
    throw;
  } catch (const std::exception& error) {
    Failed(folder, dir, world, Error(ErrorCode::kBug, error.what()));
    throw;
  }
}

}  // namespace graticule
