#include "trainer/recipes/step_places.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "geo/gps_noise.h"
#include "geo/thesis_negatives.h"

namespace graticule {
namespace {

// An anchor's draws take 30 us, about as long as it takes to start a thread.
constexpr int64_t kAnchorsPerThread = 32;

constexpr LatLon kNowhere{std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};

// What travels between ranks; same machine type on all of them.
struct Item {
  LatLon place;
  PairKeys keys;
};

template <typename T>
std::vector<T> GatherCollective(const std::vector<T>& mine, Communicator& control) {
  const char* bytes = reinterpret_cast<const char*>(mine.data());
  std::vector<T> all;
  for (const std::string& part : control.GatherStrings({bytes, mine.size() * sizeof(T)})) {
    GRATICULE_CHECK(part.size() == mine.size() * sizeof(T));
    const size_t before = all.size();
    all.resize(before + part.size() / sizeof(T));
    std::memcpy(all.data() + before, part.data(), part.size());
  }
  return all;
}

BandOptions OptionsOf(const NegativesConfig& config) {
  BandOptions options;
  options.r_fn_km = config.own_km;
  for (const BandConfig& band : config.bands) {
    const double high = band.km[1] > 0 ? band.km[1] : std::numeric_limits<double>::infinity();
    options.bands.push_back({band.km[0], high, band.count});
  }
  return options;
}

// The location tower takes any place; where there is none its output is masked.
LatLon Encodable(LatLon place) { return IsValid(place) ? place : LatLon{0, 0}; }

}  // namespace

StepPlacesMaker::StepPlacesMaker(const NegativesConfig& config, int64_t views, bool needs_draws,
                                 uint64_t seed, std::shared_ptr<const Gallery> gallery)
    : config_(config), views_(views), needs_draws_(needs_draws), seed_(seed), gallery_(std::move(gallery)) {
  if (config.bands.empty() && config.thesis == "none") return;
  GRATICULE_CHECK(gallery_ != nullptr);
  if (config.thesis != "none") index_ = std::make_unique<PlaceIndex>(gallery_->places());
  if (!config.bands.empty()) bands_ = std::make_unique<BandSampler>(gallery_->places(), OptionsOf(config));
}

double StepPlacesMaker::NearShare(int64_t first_sample) const {
  if (config_.near_after == 0) return 1;
  return std::min(1.0, static_cast<double>(first_sample) / static_cast<double>(config_.near_after));
}

void StepPlacesMaker::ReplaceQueue(StepPlaces& step, uint64_t first_sample) const {
  std::vector<LatLon> anchors;
  for (const LatLon place : step.known.batch) {
    if (IsValid(place)) anchors.push_back(place);
  }
  const auto variant = static_cast<ThesisVariant>(config_.thesis[1] - '0');
  Rng rng(seed_, {.index = first_sample, .view = 1, .purpose = Purpose::kNegatives});
  std::vector<LatLon>& slots = step.known.candidates;
  const std::vector<int64_t> chosen =
      ThesisNegatives(variant, anchors, gallery_->places(), *index_, std::ssize(slots), rng);
  for (size_t s = 0; s < chosen.size(); ++s) {
    if (chosen[s] < 0) continue;
    slots[s] = gallery_->places()[static_cast<size_t>(chosen[s])];
    if (!step.known.candidate_keys.empty()) step.known.candidate_keys[s] = {};
  }
}

void StepPlacesMaker::DrawCollective(StepPlaces& step, const Batch& share, const Draws& draws,
                                     Communicator& control) const {
  std::vector<int64_t> index(static_cast<size_t>(share.size * bands_->slots()));
  std::vector<double> km(index.size());
  const int64_t threads = std::clamp<int64_t>(share.size / kAnchorsPerThread, 1, at::get_num_threads());
  bands_->DrawMany(
      share.places,
      [&](int64_t b) {
        return Rng(seed_, {.index = draws.own + static_cast<uint64_t>(b), .purpose = Purpose::kNegatives});
      },
      static_cast<int>(threads), index, km, NearShare(static_cast<int64_t>(draws.step)));
  const bool shared = config_.mode == "shared";
  if (shared) index = SharedUnion(GatherCollective(index, control));
  ContrastivePlaces& known = step.known;
  std::vector<LatLon>& target = shared ? known.candidates : known.negatives;
  for (const int64_t i : index)
    target.push_back(i < 0 ? kNowhere : gallery_->places()[static_cast<size_t>(i)]);
  if (!shared) {
    step.own = bands_->slots();
    return;
  }
  if (!share.keys.empty()) known.candidate_keys.resize(known.candidates.size());
  // What one image has drawn may be another one's own place.
  known.candidate_km.resize(known.candidates.size() - index.size(), 0);
  known.candidate_km.resize(known.candidates.size(), config_.own_km);
}

void StepPlacesMaker::Encode(StepPlaces& step, const Batch& share, const Draws& draws, int rank) const {
  const GpsNoise near{config_.noise_m, config_.noise_in_degrees},
      far{config_.queue_noise_m, config_.noise_in_degrees};
  const auto add = [&](LatLon place, const GpsNoise& noise, const RngKey& key) {
    Rng rng(seed_, key);
    const double north = rng.Normal(), east = rng.Normal();
    step.encode.push_back(WithNoise(Encodable(place), noise, north, east));
  };
  for (size_t b = 0; b < share.places.size(); ++b)
    add(share.places[b], near, {.index = draws.own + b, .purpose = Purpose::kPlaceNoise});
  for (int64_t s = rank * step.slice; s < (rank + 1) * step.slice; ++s) {
    add(step.known.candidates[static_cast<size_t>(s)], far,
        {.epoch = static_cast<uint64_t>(s), .index = draws.step, .purpose = Purpose::kQueueNoise});
  }
  const auto own = static_cast<size_t>(step.own);
  for (size_t i = 0; i < step.known.negatives.size(); ++i) {
    add(step.known.negatives[i], far,
        {.epoch = i % own, .index = draws.own + i / own, .view = 1, .purpose = Purpose::kPlaceNoise});
  }
}

StepPlaces StepPlacesMaker::MakeCollective(const Batch& share, int64_t first_sample, const GpsQueue& queue,
                                           Communicator& control) const {
  StepPlaces step;
  step.samples = share.size;
  ContrastivePlaces& known = step.known;
  const bool keyed = !share.keys.empty();
  std::vector<Item> mine(static_cast<size_t>(share.size));
  for (size_t b = 0; b < mine.size(); ++b) {
    mine[b].place = share.places[b];
    if (keyed) mine[b].keys = {share.keys[b].place, share.keys[b].author, share.keys[b].sequence};
  }
  for (const Item& item : GatherCollective(mine, control)) {
    known.batch.push_back(item.place);
    if (keyed) known.batch_keys.push_back(item.keys);
  }

  const auto first = static_cast<uint64_t>(first_sample);
  const Draws draws{first, first + static_cast<uint64_t>(control.rank() * share.size)};
  known.candidates = queue.places();
  if (keyed) known.candidate_keys = queue.keys();
  if (index_ != nullptr) ReplaceQueue(step, first);
  if (bands_ != nullptr) DrawCollective(step, share, draws, control);

  const int64_t world = control.world_size();
  step.slice = (std::ssize(known.candidates) + world - 1) / world;
  known.candidates.resize(static_cast<size_t>(step.slice * world), kNowhere);
  if (!known.candidate_keys.empty()) known.candidate_keys.resize(known.candidates.size());
  if (!known.candidate_km.empty()) known.candidate_km.resize(known.candidates.size(), 0);
  Encode(step, share, draws, control.rank());

  for (int64_t row = 0; needs_draws_ && row < share.size * views_; ++row) {
    Rng rng(seed_, {.index = draws.own + static_cast<uint64_t>(row / views_),
                    .view = static_cast<uint32_t>(row % views_),
                    .purpose = Purpose::kTriplet});
    known.draws.push_back(rng.Uniform());
    known.draws.push_back(rng.Uniform());
  }
  return step;
}

}  // namespace graticule
