#include "trainer/recipes/step_places.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "geo/gps_noise.h"
#include "geo/thesis_negatives.h"

namespace graticule {
namespace {

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

StepPlaces StepPlacesMaker::MakeCollective(const Batch& share, int64_t first_sample, const GpsQueue& queue,
                                           Communicator& control) const {
  StepPlaces step;
  step.samples = share.size;
  std::vector<Item> mine(static_cast<size_t>(share.size));
  for (size_t b = 0; b < mine.size(); ++b) {
    mine[b].place = share.places[b];
    if (!share.keys.empty())
      mine[b].keys = {share.keys[b].place, share.keys[b].author, share.keys[b].sequence};
  }
  for (const Item& item : GatherCollective(mine, control)) {
    step.known.batch.push_back(item.place);
    if (!share.keys.empty()) step.known.batch_keys.push_back(item.keys);
  }
  const auto first = static_cast<uint64_t>(first_sample);
  const uint64_t own_first = first + static_cast<uint64_t>(control.rank() * share.size);
  const GpsNoise near{config_.noise_m, config_.noise_in_degrees},
      far{config_.queue_noise_m, config_.noise_in_degrees};
  const auto noisy = [](LatLon place, const GpsNoise& noise, Rng rng) {
    const double north = rng.Normal(), east = rng.Normal();
    return WithNoise(Encodable(place), noise, north, east);
  };
  for (size_t b = 0; b < mine.size(); ++b)
    step.encode.push_back(
        noisy(mine[b].place, near, Rng(seed_, {.index = own_first + b, .purpose = Purpose::kPlaceNoise})));

  // What all images share: the queue, and in mode shared what any image has drawn.
  step.known.candidates = queue.places();
  if (!share.keys.empty()) step.known.candidate_keys = queue.keys();
  if (index_ != nullptr) ReplaceQueue(step, first);
  std::vector<LatLon> drawn;
  if (bands_ != nullptr) {
    std::vector<int64_t> index(static_cast<size_t>(share.size * bands_->slots()));
    std::vector<double> km(index.size());
    bands_->DrawMany(
        share.places,
        [&](int64_t b) {
          return Rng(seed_, {.index = own_first + static_cast<uint64_t>(b), .purpose = Purpose::kNegatives});
        },
        /*threads=*/1, index, km, NearShare(first_sample));
    const bool shared = config_.mode == "shared";
    if (shared) index = SharedUnion(GatherCollective(index, control));
    std::vector<LatLon>& target = shared ? step.known.candidates : drawn;
    for (const int64_t i : index)
      target.push_back(i < 0 ? kNowhere : gallery_->places()[static_cast<size_t>(i)]);
    if (shared && !share.keys.empty()) step.known.candidate_keys.resize(step.known.candidates.size());
    // What one image has drawn may be another one's own place.
    if (shared) {
      step.known.candidate_km.resize(step.known.candidates.size() - index.size(), 0);
      step.known.candidate_km.resize(step.known.candidates.size(), config_.own_km);
    }
    if (!shared) step.own = bands_->slots();
  }
  const int64_t world = control.world_size();
  step.slice = (std::ssize(step.known.candidates) + world - 1) / world;
  step.known.candidates.resize(static_cast<size_t>(step.slice * world), kNowhere);
  if (!step.known.candidate_keys.empty()) step.known.candidate_keys.resize(step.known.candidates.size());
  if (!step.known.candidate_km.empty()) step.known.candidate_km.resize(step.known.candidates.size(), 0);
  for (int64_t s = control.rank() * step.slice; s < (control.rank() + 1) * step.slice; ++s) {
    step.encode.push_back(noisy(
        step.known.candidates[static_cast<size_t>(s)], far,
        Rng(seed_, {.epoch = static_cast<uint64_t>(s), .index = first, .purpose = Purpose::kQueueNoise})));
  }
  for (size_t i = 0; i < drawn.size(); ++i) {
    const RngKey key{.epoch = i % static_cast<size_t>(step.own),
                     .index = own_first + i / static_cast<size_t>(step.own),
                     .view = 1,
                     .purpose = Purpose::kPlaceNoise};
    step.encode.push_back(noisy(drawn[i], far, Rng(seed_, key)));
  }
  step.known.negatives = std::move(drawn);
  for (int64_t row = 0; needs_draws_ && row < share.size * views_; ++row) {
    Rng rng(seed_, {.index = own_first + static_cast<uint64_t>(row / views_),
                    .view = static_cast<uint32_t>(row % views_),
                    .purpose = Purpose::kTriplet});
    step.known.draws.push_back(rng.Uniform());
    step.known.draws.push_back(rng.Uniform());
  }
  return step;
}

}  // namespace graticule
