#include "trainer/order/epoch_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "geo/place_neighbours.h"
#include "trainer/order/record_features.h"
#include "trainer/order/similarity_lists.h"

namespace graticule {
namespace {

constexpr int64_t kListsAtOnce = 1 << 16;  // of one rank that travel together

template <typename T>
std::string BytesOf(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

// share: the numbers of some records, then their lists.
void Place(const std::string& share, int64_t k, std::vector<uint32_t>& lists_NK) {
  const size_t list_bytes = static_cast<size_t>(k) * sizeof(uint32_t);
  const size_t lists = share.size() / (sizeof(int64_t) + list_bytes);
  for (size_t i = 0; i < lists; ++i) {
    int64_t record = 0;
    std::memcpy(&record, share.data() + i * sizeof record, sizeof record);
    std::memcpy(lists_NK.data() + record * k, share.data() + lists * sizeof record + i * list_bytes,
                list_bytes);
  }
}

ShuffleOptions ShuffleOf(const RootConfig& config) {
  const PlanConfig& plan = config.data.plan;
  return {.seed = static_cast<uint64_t>(config.run.seed),
          .batch = config.train.global_batch,
          .select = plan.select,
          .share = plan.share,
          .give_up = plan.give_up};
}

// In the order's name, so that a run goes on with no other one.
std::string SourceOf(const PlanConfig& plan) {
  const std::string gps = fmt::format("gps>={}km", plan.min_km);
  if (plan.kind == "gps") return gps;
  return fmt::format("{},similar>={}km/{}", gps, plan.similar_min_km, plan.every_epochs);
}

std::vector<LatLon> AllPlaces(const Dataset& data) {
  std::vector<LatLon> places(static_cast<size_t>(data.size()));
  for (int64_t record = 0; record < data.size(); ++record) places[record] = data.place(record);
  return places;
}

}  // namespace

EpochPlans::EpochPlans(const RootConfig& config, std::shared_ptr<const Dataset> train,
                       PredictOptions features, World& world)
    : config_(config.data.plan),
      shuffle_(ShuffleOf(config)),
      train_(std::move(train)),
      features_(std::move(features)),
      world_(world) {
  const int64_t records = train_->size();
  folder_ = std::make_shared<PlanFolder>(
      PlanFolderOptions{.dir = JoinPath(config.run.dir, "order"),
                        .name = NeighbourShuffleName(shuffle_, config_.neighbours, SourceOf(config_)),
                        .records = records,
                        .positions = records / shuffle_.batch * shuffle_.batch});
}

int64_t EpochPlans::ListsEpoch(int64_t epoch) const {
  return config_.kind == "similarity" ? epoch - epoch % config_.every_epochs : 0;
}

bool EpochPlans::NeedsWeights(int64_t epoch) const { return epoch > 0 && ListsEpoch(epoch) == epoch; }

std::string EpochPlans::ListsPath(int64_t lists_epoch) const {
  return JoinPath(folder_->options().dir, fmt::format("lists_{:04}.safetensors", lists_epoch));
}

void EpochPlans::WriteLists(int64_t lists_epoch, const std::vector<uint32_t>& lists_NK,
                            const std::string& method) {
  PosixFs().MakeDirs(folder_->options().dir);
  WriteNeighbourLists(PosixFs(), ListsPath(lists_epoch), {lists_NK, config_.neighbours},
                      {train_->Sha256(), method});
  // The ones before may still be asked for by the last checkpoints.
  if (const int64_t old = lists_epoch - 2 * config_.every_epochs; old >= 0) PosixFs().Remove(ListsPath(old));
}

// sha256: empty where a plan follows these lists for the first time.
std::shared_ptr<const NeighbourLists> EpochPlans::Lists(int64_t lists_epoch, const std::string& sha256) {
  const std::string path = ListsPath(lists_epoch);
  const auto open = [&] {
    auto lists = NeighbourLists::Open(path, train_->Sha256(), train_->size());
    if (sha256.empty() || lists->Sha256() == sha256) return lists;
    throw Error(ErrorCode::kData,
                fmt::format("the lists' SHA-256 is {}; expected {}", lists->Sha256(), sha256), path);
  };
  // By distance, the first lists are always made: what lies there may be an earlier start's.
  if (lists_epoch > 0 || !sha256.empty()) {
    try {
      return open();
    } catch (const Error& error) {
      LogWarn("neighbour lists are of no use: {}", error.what());
    }
  }
  if (lists_epoch > 0) {
    throw Error(
        ErrorCode::kCheckpoint, "the neighbour lists that the model made are lost", path,
        fmt::format("go on from the checkpoint of the first step of epoch {}, or start anew", lists_epoch));
  }
  const NeighbourSearch search{config_.neighbours, config_.min_km, world_.cpus};
  WriteLists(0, NearestOthers(AllPlaces(*train_), search),
             fmt::format("distance, {} km and more", config_.min_km));
  return open();
}

// Each rank's share of the lists goes to rank 0, piece by piece.
void EpochPlans::MakeSimilarCollective(int64_t lists_epoch, Recipe& recipe) {
  const RecordFeatures features = FeaturesOfShare(recipe, train_, features_, world_.rank, world_.size);
  const int64_t k = config_.neighbours, count = std::ssize(features.records);
  const std::vector<uint32_t> mine_CK =
      TopSimilar(features.images_CD, features.records, features.places_ND, AllPlaces(*train_),
                 {.neighbours = k, .min_km = config_.similar_min_km});
  std::vector<uint32_t> lists_NK;
  if (world_.is_first()) lists_NK.assign(static_cast<size_t>(train_->size() * k), kNoNeighbour);
  const auto most = static_cast<int64_t>(world_.control.MaxScalar(static_cast<double>(count)));
  for (int64_t first = 0; first < most; first += kListsAtOnce) {
    const int64_t begin = std::min(first, count), end = std::min(first + kListsAtOnce, count);
    const std::vector<std::string> shares =
        world_.control.GatherStrings(BytesOf(std::span(features.records).subspan(begin, end - begin)) +
                                     BytesOf(std::span(mine_CK).subspan(begin * k, (end - begin) * k)));
    if (world_.is_first())
      for (const std::string& share : shares) Place(share, k, lists_NK);
  }
  if (!world_.is_first()) return;
  WriteLists(lists_epoch, lists_NK,
             fmt::format("similarity at the start of epoch {}, {} km and more", lists_epoch,
                         config_.similar_min_km));
}

bool EpochPlans::IsThere(int64_t epoch, const std::string& sha256) {
  try {
    folder_->Open(epoch, sha256);
    return true;
  } catch (const Error& error) {
    LogWarn("the plan of epoch {} is made again: {}", epoch, error.what());
    return false;
  }
}

// Returns the plan's hash, and that of the lists it is from.
std::string EpochPlans::MakePlan(int64_t epoch, bool begun, const TrainState& state,
                                 std::string& lists_sha256) {
  const int64_t lists_epoch = ListsEpoch(epoch);
  const bool known = begun || lists_epoch != epoch;
  const auto lists = Lists(lists_epoch, known ? state.lists_sha256 : "");
  lists_sha256 = lists->Sha256();
  const std::string sha256 =
      folder_->Write(PosixFs(), epoch, NeighbourShuffle(lists->table(), shuffle_, epoch).records);
  if (!begun || sha256 == state.plan_sha256) return sha256;
  throw Error(ErrorCode::kCheckpoint,
              fmt::format("the plan was made again with SHA-256 {}; the checkpoint has {}", sha256,
                          state.plan_sha256),
              folder_->PathOf(epoch), "go on from an older checkpoint, or start anew");
}

void EpochPlans::PrepareCollective(int64_t epoch, bool begun, Recipe& recipe, TrainState& state) {
  if (!begun && NeedsWeights(epoch)) MakeSimilarCollective(epoch, recipe);
  std::string plan = state.plan_sha256, lists = state.lists_sha256;
  if (world_.is_first() && !(begun && IsThere(epoch, plan))) plan = MakePlan(epoch, begun, state, lists);
  state.plan_sha256 = world_.control.BroadcastString(plan, 0);
  state.lists_sha256 = world_.control.BroadcastString(lists, 0);
  folder_->Open(epoch, state.plan_sha256);
}

}  // namespace graticule
