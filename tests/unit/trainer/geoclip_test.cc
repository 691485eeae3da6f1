#include "trainer/recipes/geoclip.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "base/error.h"
#include "models/geoclip_weights.h"
#include "tests/unit/trainer/tiny_geoclip.h"
#include "trainer/comm/fake_communicator.h"
#include "trainer/recipes/geoclip_init.h"

namespace graticule {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<LatLon> Line(int n) {  // ten degrees apart along a meridian and back
  std::vector<LatLon> places;
  for (int i = 0; i < n; ++i) places.push_back({-80.0 + 10 * (i % 17), 20.0 * (i / 17)});
  return places;
}

GeoclipOptions Options() {
  GeoclipOptions o = TinyGeoclip(Line(34));
  o.model.frozen_layers = -1;
  o.geoclip.negatives.queue = 5;
  o.queue_start = Line(3);
  return o;
}

Batch Share(int64_t size, int64_t first = 0) {
  Batch b;
  b.size = size;
  const std::vector<LatLon> places = Line(40);
  for (int64_t i = 0; i < size; ++i) b.places.push_back(places[static_cast<size_t>(first + i)]);
  return b;
}

TEST(GpsQueue, HoldsTheLastPlacesWhateverTheBatch) {
  GpsQueue queue(5);
  queue.Fill(Line(2));
  EXPECT_EQ(queue.places()[4], Line(2)[0]);
  const std::vector<LatLon> new_places = {{1, 1}, {kNan, kNan}, {2, 2}, {3, 3}};
  queue.Push(new_places, {});
  EXPECT_EQ(queue.places()[2], (LatLon{3, 3})) << "a place that is unknown takes no slot";
  EXPECT_EQ(queue.places()[3], Line(2)[1]);
  std::vector<LatLon> many;
  for (int i = 0; i < 7; ++i) many.push_back({10.0 + i, 0});
  queue.Push(many, std::vector<PairKeys>(7, PairKeys{1, 2, 3}));
  // Seven more from slot 3 on: 10 11 | 12 13 14 15 16 -> slots 3 4 0 1 2 3 4.
  const std::vector<LatLon> expected = {{12, 0}, {13, 0}, {14, 0}, {15, 0}, {16, 0}};
  EXPECT_EQ(queue.places(), expected);
  EXPECT_EQ(queue.keys()[0], (PairKeys{1, 2, 3}));
  EXPECT_EQ(queue.tensors()[2].tensor.item<int64_t>(), 0);
  EXPECT_EQ(queue.tensors()[3].tensor.item<int64_t>(), 5);
}

// What `ranks` ranks encode together, and what they know.
struct Made {
  std::vector<LatLon> batch, candidates, negatives;
  ContrastivePlaces known;
};

Made MakeOn(int ranks, const NegativesConfig& config, int64_t first_sample) {
  const int64_t share = 8 / ranks;
  auto control = MakeFakeCommunicators(ranks);
  std::vector<StepPlaces> steps(static_cast<size_t>(ranks));
  RunRanks(ranks, [&](int rank) {
    GpsQueue queue(5);
    queue.Fill(Line(5));
    const StepPlacesMaker maker(config, 1, true, 7,
                                std::make_shared<const Gallery>(Line(34), GallerySource{}));
    Batch part = Share(share, rank * share);
    for (int64_t i = 0; i < share; ++i) part.keys.push_back({static_cast<uint64_t>(rank * share + i), 0, 0});
    steps[static_cast<size_t>(rank)] =
        maker.MakeCollective(part, first_sample, queue, *control[static_cast<size_t>(rank)]);
  });
  Made made;
  made.known = steps[0].known;
  for (const StepPlaces& s : steps) {
    auto at = s.encode.begin();
    const auto take = [&](std::vector<LatLon>& into, int64_t n) {
      into.insert(into.end(), at, at + n);
      at += n;
    };
    take(made.batch, s.samples);
    take(made.candidates, s.slice);
    take(made.negatives, s.samples * s.own);
    EXPECT_TRUE(at == s.encode.end());
  }
  return made;
}

TEST(StepPlaces, AreTheSameOnAnyNumberOfRanks) {
  for (const char* mode : {"shared", "per_row"}) {
    NegativesConfig config;
    config.mode = mode;
    config.bands = {{{1, 3000}, 2}, {{3000, 0}, 3}};
    const Made one = MakeOn(1, config, 100);
    EXPECT_EQ(one.known.batch.size(), 8u);
    EXPECT_EQ(one.known.batch_keys[3][0], 3u);
    EXPECT_EQ(one.negatives.size(), mode == std::string("per_row") ? 40u : 0u);
    // Drawn places are shared: those near another image's own place must be left out of its row.
    const std::vector<double>& km = one.known.candidate_km;
    ASSERT_EQ(km.size(), mode == std::string("shared") ? one.known.candidates.size() : 0u);
    for (size_t s = 0; s < km.size(); ++s) EXPECT_EQ(km[s], s < 5 ? 0 : config.own_km) << s;
    for (const int ranks : {2, 4}) {
      const Made other = MakeOn(ranks, config, 100);
      EXPECT_EQ(one.known.batch, other.known.batch);
      EXPECT_EQ(one.batch, other.batch) << "noise";
      EXPECT_EQ(one.negatives, other.negatives);
      // Slices are padded at the end to the same length on every rank.
      ASSERT_GE(other.candidates.size(), one.candidates.size());
      EXPECT_TRUE(std::equal(one.candidates.begin(), one.candidates.end(), other.candidates.begin()));
      for (size_t s = one.known.candidates.size(); s < other.known.candidates.size(); ++s)
        EXPECT_FALSE(IsValid(other.known.candidates[s]));
    }
  }
}

TEST(StepPlaces, NoiseIsDrawnAnewForEveryStepAndKeptOutOfWhatIsKnown) {
  NegativesConfig config;
  const Made first = MakeOn(1, config, 0), second = MakeOn(1, config, 8);
  double batch_m = 0, queue_m = 0;
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(first.known.batch[i], Line(40)[i]);
    EXPECT_NE(first.batch[i], second.batch[i]);
    batch_m += 1000 * HaversineKm(first.batch[i], first.known.batch[i]) / 8;
  }
  for (size_t s = 0; s < 5; ++s) {
    EXPECT_EQ(first.known.candidates[s], Line(5)[s]);
    queue_m += 1000 * HaversineKm(first.candidates[s], first.known.candidates[s]) / 5;
  }
  // The mean distance of a plane Gaussian is 1.25 sigma: 188 m and 1,253 m.
  EXPECT_NEAR(batch_m, 188, 120);
  EXPECT_NEAR(queue_m, 1253, 900);
}

TEST(StepPlaces, DrawnNegativesLieInTheirBand) {
  NegativesConfig config;
  config.queue_noise_m = 0;
  config.mode = "per_row";
  config.bands = {{{500, 3000}, 2}};
  const Made made = MakeOn(2, config, 0);
  ASSERT_EQ(made.negatives.size(), 16u);
  for (size_t i = 0; i < 16; ++i) {
    const double km = HaversineKm(made.negatives[i], made.known.batch[i / 2]);
    EXPECT_GT(km, 500);
    EXPECT_LE(km, 3000);
  }
}

TEST(StepPlaces, EachSampleOfALargeBatchDrawsAloneWhateverTheThreads) {
  NegativesConfig config;
  config.mode = "per_row";
  config.bands = {{{500, 3000}, 2}, {{3000, 0}, 3}};
  const auto gallery = std::make_shared<const Gallery>(Line(34), GallerySource{});
  const BandSampler sampler(gallery->places(),
                            {.bands = {{500, 3000, 2}, {3000, std::numeric_limits<double>::infinity(), 3}},
                             .r_fn_km = config.own_km});
  Batch batch;
  batch.size = 150;
  std::vector<LatLon> expected;
  for (int64_t b = 0; b < batch.size; ++b) {
    batch.places.push_back({-75.0 + static_cast<double>(b), 3.0 * static_cast<double>(b % 50)});
    Rng rng(7, {.index = 300 + static_cast<uint64_t>(b), .purpose = Purpose::kNegatives});
    std::vector<int64_t> index(5);
    std::vector<double> km(5);
    sampler.Draw(batch.places.back(), rng, index, km);
    for (const int64_t i : index) expected.push_back(gallery->places()[static_cast<size_t>(i)]);
  }
  const StepPlacesMaker maker(config, 1, false, 7, gallery);
  const auto single = MakeSingleCommunicator();
  const int before = at::get_num_threads();
  for (const int threads : {1, 4}) {
    at::set_num_threads(threads);
    const StepPlaces step = maker.MakeCollective(batch, 300, GpsQueue(0), *single);
    EXPECT_EQ(step.known.negatives, expected) << threads << " threads";
  }
  at::set_num_threads(before);
}

TEST(StepPlaces, TheThesisFillsTheQueueFromTheGalleryAlikeOnAllRanks) {
  NegativesConfig config;
  config.queue_noise_m = 0;
  config.queue = 8;
  config.thesis = "v5";
  const auto made_on = [&](int ranks) {
    auto control = MakeFakeCommunicators(ranks);
    std::vector<std::vector<LatLon>> known(static_cast<size_t>(ranks));
    RunRanks(ranks, [&](int rank) {
      GpsQueue queue(8);
      queue.Fill(std::vector<LatLon>{{89, 1}});
      const StepPlacesMaker maker(config, 1, false, 7,
                                  std::make_shared<const Gallery>(Line(34), GallerySource{}));
      known[static_cast<size_t>(rank)] = maker
                                             .MakeCollective(Share(8 / ranks, rank * 8 / ranks), 0, queue,
                                                             *control[static_cast<size_t>(rank)])
                                             .known.candidates;
    });
    return known;
  };
  const std::vector<LatLon> one = made_on(1)[0], gallery = Line(34);
  ASSERT_EQ(one.size(), 8u);
  for (const LatLon place : one) EXPECT_EQ(std::count(gallery.begin(), gallery.end(), place), 1);
  for (const auto& other : made_on(2)) EXPECT_EQ(other, one);
}

TEST(Geoclip, PredictsTheGalleryPlaceOfTheLargestLogit) {
  GeoclipRecipe recipe(Options());
  const std::vector<LatLon> places = Line(34);
  const auto rows = recipe.Encode({.images_B3HW = {}, .embeddings_BD = {}, .places = places})[0].detach();
  EXPECT_NEAR((rows.norm(2, {1}) - 1).abs().max().item<double>(), 0, 1e-6);
  // An image that looks exactly like place 9, and the mean of crops that look like 4 and 20.
  const at::Tensor images = at::stack({rows[9], (rows[4] + rows[20]) / 2});
  const auto found = recipe.Predict({images}, 3, kNearKm);
  EXPECT_EQ(found[0][0].cell, 9);
  EXPECT_EQ(found[0][0].place, places[9]);
  const at::Tensor logits = at::matmul(images.to(at::kDouble), rows.to(at::kDouble).t()) / 0.07;
  EXPECT_NEAR(found[0][0].probability, at::softmax(logits, 1)[0][9].item<double>(), 1e-6);
  EXPECT_EQ(found[1][0].cell, logits[1].argmax().item<int64_t>());
  EXPECT_GE(found[1][0].probability, found[1][1].probability);
  EXPECT_EQ(recipe.Predict({images}, 99, kNearKm)[0].size(), 34u);
}

TEST(Geoclip, ARepeatedPlaceOfTheGalleryIsOneAnswerWithAllOfItsProbability) {
  GeoclipOptions options = Options();
  std::vector<LatLon> places = Line(34);
  for (int i = 0; i < 4; ++i) places.insert(places.begin() + 5, places[9 + i]);  // rows 5 to 8 repeat row 13
  options.gallery = std::make_shared<const Gallery>(places, GallerySource{});
  GeoclipRecipe recipe(options);
  const auto rows = recipe.Encode({.images_B3HW = {}, .embeddings_BD = {}, .places = places})[0].detach();
  const auto found = recipe.Predict({rows.narrow(0, 20, 1)}, 99, kNearKm);
  EXPECT_EQ(found[0].size(), 34u);
  const at::Tensor logits = at::mv(rows.to(at::kDouble), rows[20].to(at::kDouble)) / 0.07;
  const at::Tensor shares = at::softmax(logits, 0);
  double sum = 0;
  for (const Prediction& answer : found[0]) {
    sum += answer.probability;
    double expected = 0;
    for (size_t row = 0; row < places.size(); ++row)
      expected += places[row] == answer.place ? shares[static_cast<int64_t>(row)].item<double>() : 0;
    EXPECT_NEAR(answer.probability, expected, 1e-6);
    EXPECT_EQ(places[static_cast<size_t>(answer.cell)], answer.place);
  }
  EXPECT_NEAR(sum, 1, 1e-6);
}

TEST(Geoclip, AnswersFromTheEmbeddingsInTheGallerysFileUnlessTheyAreOfOtherWeights) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("graticule_gallery_" + std::to_string(getpid()))).string();
  GeoclipOptions options = Options();
  GeoclipRecipe recipe(options);
  recipe.SaveGallery(path);
  const std::vector<LatLon> places = Line(34);
  const at::Tensor rows =
      recipe.Encode({.images_B3HW = {}, .embeddings_BD = {}, .places = places})[0].detach();
  const Gallery& gallery = *options.gallery;
  auto stored = gallery.LoadEmbeddings(path, LocationSha256(recipe.location()), 12);
  ASSERT_TRUE(stored.has_value());
  EXPECT_TRUE(at::equal(at::tensor(stored->rows_MD).view({34, 12}), rows));
  // A file whose rows are turned round: whoever answers from it answers with the opposite place.
  stored->rows_MD.clear();
  for (int64_t row = 33; row >= 0; --row)
    for (int64_t d = 0; d < 12; ++d) stored->rows_MD.push_back(rows[row][d].item<float>());
  gallery.Save(path, &*stored);
  const at::Tensor image = rows.narrow(0, 9, 1);
  recipe.LoadGalleryEmbeddings(path);
  EXPECT_EQ(recipe.Predict({image}, 1, kNearKm)[0][0].cell, 33 - 9);
  recipe.AfterUpdate();  // new weights: the file's are stale
  EXPECT_EQ(recipe.Predict({image}, 1, kNearKm)[0][0].cell, 9);
  options.seed = 6;
  GeoclipRecipe other(options);
  const at::Tensor others =
      other.Encode({.images_B3HW = {}, .embeddings_BD = {}, .places = places})[0].detach();
  other.LoadGalleryEmbeddings(path);
  EXPECT_EQ(other.Predict({others.narrow(0, 9, 1)}, 1, kNearKm)[0][0].cell, 9);
  std::filesystem::remove(path);
}

TEST(Geoclip, TheGalleryFollowsTheWeights) {
  GeoclipRecipe recipe(Options());
  const at::Tensor images = recipe.Encode({.images_B3HW = at::randn({6, 3, 16, 16})}).at(0);
  recipe.Predict({images}, 1, kNearKm);
  for (const NamedTensor& p : recipe.location().parameters()) p.tensor.detach().mul_(-1.5);
  const at::Tensor logits = recipe.Logits(images, Options().gallery->places());
  const auto found = recipe.Predict({images}, 1, kNearKm);
  for (int64_t row = 0; row < 6; ++row)
    EXPECT_EQ(found[static_cast<size_t>(row)][0].cell, logits[row].argmax().item<int64_t>());
}

TEST(Geoclip, EveryTrainableParameterGetsAGradientFromEveryLoss) {
  for (const std::string kind :
       {"infonce", "weighted_seed", "weighted_add", "dcl", "hcl", "triplet", "siglip"}) {
    GeoclipOptions options = Options();
    options.loss.kind = kind;
    options.loss.contrastive.tau_plus = 0.01;
    GeoclipRecipe recipe(options);
    const auto single = MakeSingleCommunicator();
    const Batch batch = Share(6);
    const std::vector<LatLon> places = recipe.PlacesCollective(batch, 0, *single);
    const at::Tensor embeddings = at::arange(48).view({6, 8}).to(at::kFloat).sin();
    const auto terms =
        recipe.Terms({recipe.Encode({.images_B3HW = {}, .embeddings_BD = embeddings})[0],
                      recipe.Encode({.images_B3HW = {}, .embeddings_BD = {}, .places = places})[0]},
                     batch, *single);
    std::set<std::string> named;
    for (const LossTerm& term : terms) {
      named.insert(term.name);
      if (term.scale != 0) term.sum.backward();
    }
    for (const auto& [name, weight] : recipe.Weights(batch)) {
      EXPECT_EQ(weight, 6) << name;
      EXPECT_TRUE(named.contains(name)) << kind << " " << name;
    }
    for (const NamedTensor& p : recipe.Parameters()) {
      if (p.tensor.requires_grad()) {
        EXPECT_TRUE(p.tensor.grad().defined()) << kind << " " << p.name;
      }
      if (p.name == "heads.logit_scale") {
        EXPECT_EQ(p.tensor.requires_grad(), kind != "triplet") << kind;
      }
    }
  }
}

TEST(Geoclip, TheLogitScaleStaysInItsBounds) {
  GeoclipOptions options = Options();
  options.geoclip.logit_scale.start = 500;
  GeoclipRecipe recipe(options);
  recipe.AfterUpdate();
  EXPECT_NEAR(recipe.logit_scale().item<double>(), std::log(100.0), 1e-6);
}

TEST(Geoclip, ACapsuleBeyondTheWeightFileChangesNothingAtFirst) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("graticule_geoclip_" + std::to_string(getpid()))).string();
  GeoclipRecipe published(Options());
  SaveGeoclipWeights(PosixFs(), path, {{"", published.location().parameters()}});
  GeoclipOptions options = Options();
  options.geoclip.location.sigmas = {1, 16, 4096};
  options.seed = 77;
  GeoclipRecipe more(options);
  LoadPublishedWeights(more, {.image_mlp = "", .location = path, .logit_scale = ""});
  std::filesystem::remove(path);
  const std::vector<LatLon> places = Line(20);
  EXPECT_TRUE(at::equal(published.location().Forward(places), more.location().Forward(places)));
  for (const NamedTensor& p : more.location().parameters()) {
    if (p.name == "LocEnc2.capsule.5.weight") {
      EXPECT_GT(p.tensor.abs().max().item<float>(), 0);
    }
  }
}

}  // namespace
}  // namespace graticule
