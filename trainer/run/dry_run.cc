#include "trainer/run/dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "models/frozen_tower.h"
#include "trainer/recipes/registry.h"
#include "trainer/run/training_parts.h"

namespace graticule {
namespace {

struct Plan {
  int64_t tower = 0, heads = 0, records = 0, steps_per_epoch = 0, steps = 0, cells = 0, gallery = 0,
          micro = 0;
  MemoryEstimate memory;
  std::vector<std::string> coverage, warnings;
};

Plan MakePlan(const RootConfig& config, int world_size) {
  CheckStartFiles(config);
  const TrainingData data = TrainingData::Open(config);
  Plan plan;
  plan.tower = config.model.vision.ParameterCount();
  if (data.cells != nullptr) plan.cells = data.cells->size();
  if (data.gallery != nullptr) plan.gallery = data.gallery->size();
  plan.heads = HeadParameters(config, plan.cells);
  plan.records = data.train->size();
  const int64_t epoch = config.data.epoch_samples > 0 ? config.data.epoch_samples : plan.records;
  plan.steps_per_epoch = epoch / config.train.global_batch;
  plan.steps = TotalSteps(config.train, plan.steps_per_epoch);
  plan.micro = config.train.global_batch / world_size / AccumulationSteps(config.train, world_size);
  plan.memory = EstimateMemory(config, plan.heads, plan.micro);
  plan.coverage = data.coverage;
  plan.warnings = RecipeWarnings(config, "{}");
  return plan;
}

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// Queue and bank (docs/GEOCLIP.md, "A checkpoint holds besides").
double StateBytes(const RootConfig& config) {
  const GeoclipConfig& g = config.recipe.geoclip;
  double slot = 5 * 8;
  if (config.loss.contrastive.pair.NeedsFeatures())
    slot += 2.0 * TowerOutputWidth(config.model.vision, TowerOutputOf(config.model.pooling));
  const double bank = g.nearest.weight > 0 ? g.nearest.bank * (4.0 * g.outputs + 16) : 0;
  return g.negatives.queue * slot + bank;
}

}  // namespace

MemoryEstimate EstimateMemory(const RootConfig& config, int64_t head_parameters, int64_t micro_batch) {
  const VisionConfig& v = config.model.vision;
  const auto parameters = static_cast<double>(v.ParameterCount() + head_parameters);
  const bool bf16 = config.train.precision == "bf16";
  MemoryEstimate m;
  m.weights = parameters * (bf16 ? 6 : 4);
  m.gradients = parameters * 4;
  m.moments = parameters * (config.optim.kind != "sgd" ? 8 : config.optim.momentum > 0 ? 4 : 0);
  m.average = config.optim.ema_decay > 0 ? parameters * 4 : 0;
  m.state = config.recipe.kind == "geoclip" ? StateBytes(config) : 0;
  // Per token and block: input, two normed copies, q, k, v, attention output, its projection, and the MLP's
  // input and output (width each), and twice the MLP's inner width. Attention probabilities are recomputed,
  // not kept.
  const double per_block = static_cast<double>(v.Tokens()) * (9.0 * v.width + 2.0 * v.mlp_width);
  const double kept_blocks = config.model.recompute ? 1 : static_cast<double>(v.layers);
  const double carried = config.model.recompute ? static_cast<double>(v.Tokens()) * v.width * v.layers : 0;
  m.activations = static_cast<double>(micro_batch) * (per_block * kept_blocks + carried) * (bf16 ? 2 : 4);
  m.batch = static_cast<double>(micro_batch) * 3.0 * v.image_size * v.image_size * (4.0 + config.data.depth);
  return m;
}

std::string DryRunText(const RootConfig& config, int world_size) {
  const Plan p = MakePlan(config, world_size);
  std::string text;
  text += fmt::format(
      "parameters       {:.2f} M (tower {:.2f} M, heads {:.2f} M, {})\n", (p.tower + p.heads) / 1e6,
      p.tower / 1e6, p.heads / 1e6,
      p.gallery > 0 ? fmt::format("gallery of {} places", p.gallery) : fmt::format("{} cells", p.cells));
  text += fmt::format(
      "memory per rank  {:.2f} GiB at micro-batch {} (ranks {}, weights {:.2f}, gradients {:.2f}, moments "
      "{:.2f}, average {:.2f}, state {:.2f}, activations {:.2f}, batches {:.2f})\n",
      p.memory.total() / kGiB, p.micro, world_size, p.memory.weights / kGiB, p.memory.gradients / kGiB,
      p.memory.moments / kGiB, p.memory.average / kGiB, p.memory.state / kGiB, p.memory.activations / kGiB,
      p.memory.batch / kGiB);
  text += fmt::format("training records {}\n", p.records);
  text +=
      fmt::format("steps per epoch  {} at global batch {}\n", p.steps_per_epoch, config.train.global_batch);
  text += fmt::format("steps            {} ({} samples)\n", p.steps, p.steps * config.train.global_batch);
  for (const std::string& line : p.coverage) text += fmt::format("labels           {}\n", line);
  for (const std::string& line : p.warnings) text += fmt::format("warning          {}\n", line);
  text.pop_back();
  return text;
}

std::string DryRunJson(const RootConfig& config, int world_size) {
  const Plan p = MakePlan(config, world_size);
  const nlohmann::ordered_json json = {{"parameters", p.tower + p.heads},
                                       {"tower_parameters", p.tower},
                                       {"head_parameters", p.heads},
                                       {"cells", p.cells},
                                       {"gallery", p.gallery},
                                       {"memory_bytes", p.memory.total()},
                                       {"micro_batch", p.micro},
                                       {"ranks", world_size},
                                       {"records", p.records},
                                       {"steps_per_epoch", p.steps_per_epoch},
                                       {"steps", p.steps},
                                       {"labels", p.coverage},
                                       {"warnings", p.warnings}};
  return JsonText(json);
}

}  // namespace graticule
