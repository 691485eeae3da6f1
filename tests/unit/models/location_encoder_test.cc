#include "models/location_encoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "geo/projection.h"

namespace graticule {
namespace {

const std::vector<LatLon> kPlaces = {
    {40.7128, -74.0060}, {-33.86, 151.21}, {0, -180}, {90, 0}, {-55.5, 12.25}};

LocationShape Small() { return {.sigmas = {1, 8}, .features = 6, .width = 10, .outputs = 4}; }

// The tower written out in scalars and double precision.
std::vector<double> ByHand(const LocationEncoder& encoder, LatLon place) {
  const auto& parameters = encoder.parameters();
  const PlanePoint p = EqualEarth(place);
  std::vector<double> sum(static_cast<size_t>(encoder.shape().outputs), 0);
  const auto apply = [](const at::Tensor& weight, const at::Tensor& bias, const std::vector<double>& x,
                        bool relu) {
    std::vector<double> y;
    for (int64_t o = 0; o < weight.size(0); ++o) {
      double value = bias[o].item<double>();
      for (int64_t i = 0; i < weight.size(1); ++i)
        value += weight[o][i].item<double>() * x[static_cast<size_t>(i)];
      y.push_back(relu ? std::max(0.0, value) : value);
    }
    return y;
  };
  for (size_t first = 0; first < parameters.size(); first += 9) {
    std::vector<double> x;
    const at::Tensor b = parameters[first].tensor;
    for (const bool sine : {false, true}) {
      for (int64_t f = 0; f < b.size(0); ++f) {
        const double phase = 2 * M_PI * (p.x * b[f][0].item<double>() + p.y * b[f][1].item<double>());
        x.push_back(sine ? std::sin(phase) : std::cos(phase));
      }
    }
    for (size_t layer = 1; layer < 9; layer += 2)
      x = apply(parameters[first + layer].tensor, parameters[first + layer + 1].tensor, x, layer < 7);
    for (size_t o = 0; o < sum.size(); ++o) sum[o] += x[o];
  }
  return sum;
}

TEST(LocationEncoder, IsTheSumOfItsCapsules) {
  const LocationEncoder encoder(Small(), 3);
  const at::Tensor out = encoder.Forward(kPlaces);
  ASSERT_EQ(out.sizes(), (std::vector<int64_t>{5, 4}));
  for (size_t n = 0; n < kPlaces.size(); ++n) {
    const std::vector<double> expected = ByHand(encoder, kPlaces[n]);
    for (size_t o = 0; o < 4; ++o)
      EXPECT_NEAR(out[static_cast<int64_t>(n)][static_cast<int64_t>(o)].item<double>(), expected[o], 2e-5);
  }
  EXPECT_EQ(encoder.Forward({}).sizes(), (std::vector<int64_t>{0, 4}));
}

TEST(LocationEncoder, HasTheNamesAndSizesOfGeoclip) {
  const LocationEncoder encoder({}, std::nullopt);
  std::set<std::string> names;
  int64_t trainable = 0, fixed = 0;
  for (const NamedTensor& p : encoder.parameters()) {
    names.insert(p.name);
    (p.tensor.requires_grad() ? trainable : fixed) += p.tensor.numel();
  }
  EXPECT_EQ(names.size(), 27u);
  EXPECT_TRUE(names.contains("LocEnc2.capsule.5.weight"));
  EXPECT_TRUE(names.contains("LocEnc0.head.0.bias"));
  EXPECT_EQ(trainable, 9'447'936);
  EXPECT_EQ(fixed, 1536);
}

TEST(LocationEncoder, FrequenciesHaveTheDeviationOfTheirScale) {
  const LocationEncoder encoder({.features = 4096, .width = 8}, 11);
  for (size_t capsule = 0; capsule < 3; ++capsule) {
    const double deviation = encoder.parameters()[9 * capsule].tensor.std().item<double>();
    EXPECT_NEAR(deviation / std::pow(16, capsule), 1, 0.03);  // 8,192 values: 0.8 %
  }
}

TEST(LocationEncoder, APlaceIsTheSameHoweverItsLongitudeIsWritten) {
  const LocationEncoder encoder(Small(), 3);
  const std::vector<LatLon> there = {{12, 180}, {12, 190}}, here = {{12, -180}, {12, -170}};
  EXPECT_TRUE(at::allclose(encoder.Forward(there), encoder.Forward(here), 0, 1e-6));
}

TEST(LocationEncoder, OnlyCapsulesThatAreNotFrozenGetGradients) {
  LocationEncoder encoder(Small(), 3);
  EXPECT_EQ(encoder.parameters().size(), 18u);
  encoder.Freeze({true, false});
  encoder.Forward(kPlaces).square().sum().backward();
  for (size_t i = 0; i < 18; ++i) {
    const at::Tensor& p = encoder.parameters()[i].tensor;
    EXPECT_EQ(p.requires_grad(), i > 9) << encoder.parameters()[i].name;  // the tenth are frequencies
    EXPECT_EQ(p.grad().defined(), i > 9) << encoder.parameters()[i].name;
  }
  EXPECT_THROW(encoder.Freeze({true, false, false}), Error);
}

TEST(LocationEncoder, IsNamedByItsWeightsAndItsProjection) {
  const std::string hash = LocationSha256(LocationEncoder(Small(), 3));
  EXPECT_EQ(LocationSha256(LocationEncoder(Small(), 3)), hash);
  EXPECT_NE(LocationSha256(LocationEncoder(Small(), 4)), hash);
  LocationShape other = Small();
  other.projection = "web_mercator";
  EXPECT_NE(LocationSha256(LocationEncoder(other, 3)), hash);
}

TEST(LocationEncoder, ShapesThatCannotBeAreRefused) {
  EXPECT_THROW(LocationEncoder({.sigmas = {}}, 1), Error);
  EXPECT_THROW(LocationEncoder({.projection = "mollweide"}, 1), Error);
  EXPECT_THROW(LocationEncoder({.projection = "web_mercator", .parity = true}, 1), Error);
}

}  // namespace
}  // namespace graticule
