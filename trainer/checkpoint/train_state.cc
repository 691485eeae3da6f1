#include "trainer/checkpoint/train_state.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace graticule {
namespace {

constexpr int kFormatVersion = 1;

}  // namespace

std::string ToJson(const TrainState& s) {
  const nlohmann::ordered_json json = {
      {"format_version", kFormatVersion},
      {"step", s.step},
      {"samples", s.samples},
      {"total_steps", s.total_steps},
      {"batches_per_epoch", s.batches_per_epoch},
      {"global_batch", s.global_batch},
      {"skipped", s.skipped},
      {"seed", s.seed},
      {"order", s.order},
      {"threads", s.threads},
      {"world_size", s.world_size},
      {"data_sha256", s.data_sha256},
      {"embeddings_sha256", s.embeddings_sha256},
      {"cells_sha256", s.cells_sha256},
      {"gallery_sha256", s.gallery_sha256},
      {"plan_sha256", s.plan_sha256},
      {"lists_sha256", s.lists_sha256},
      {"recipe", nlohmann::ordered_json::parse(s.recipe_state)},
      {"best", {{"metric", s.best_metric}, {"value", s.best_value}, {"step", s.best_step}}},
  };
  return json.dump(2) + "\n";
}

TrainState TrainStateFromJson(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::ordered_json::parse(text);
    const int version = json.at("format_version").get<int>();
    if (version > kFormatVersion) {
      throw Error(ErrorCode::kCheckpoint,
                  fmt::format("found format_version {}, this program knows {}", version, kFormatVersion),
                  where, "use the version of graticule that wrote it, or a newer one");
    }
    TrainState s;
    json.at("step").get_to(s.step);
    json.at("samples").get_to(s.samples);
    json.at("total_steps").get_to(s.total_steps);
    json.at("batches_per_epoch").get_to(s.batches_per_epoch);
    json.at("global_batch").get_to(s.global_batch);
    json.at("skipped").get_to(s.skipped);
    json.at("seed").get_to(s.seed);
    json.at("order").get_to(s.order);
    json.at("threads").get_to(s.threads);
    json.at("world_size").get_to(s.world_size);
    json.at("data_sha256").get_to(s.data_sha256);
    s.embeddings_sha256 = json.value("embeddings_sha256", "");  // older states know only images
    json.at("cells_sha256").get_to(s.cells_sha256);
    s.gallery_sha256 = json.value("gallery_sha256", "");  // older states know only cells
    s.plan_sha256 = json.value("plan_sha256", "");  // older states know only computed orders
    s.lists_sha256 = json.value("lists_sha256", "");
    s.recipe_state = json.at("recipe").dump();
    json.at("best").at("metric").get_to(s.best_metric);
    json.at("best").at("value").get_to(s.best_value);
    json.at("best").at("step").get_to(s.best_step);
    return s;
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::kCheckpoint, fmt::format("found a malformed state file: {}", error.what()), where,
                "delete this checkpoint; an older one is used then");
  }
}

}  // namespace graticule
