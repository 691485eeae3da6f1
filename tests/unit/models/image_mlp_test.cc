#include "models/image_mlp.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace graticule {
namespace {

TEST(ImageMlp, IsTwoLayersWithAReluBetween) {
  const at::NoGradGuard no_grad;
  const ImageMlp mlp({.inputs = 2, .hidden = 2, .outputs = 2}, std::nullopt);
  const auto set = [&](size_t i, std::vector<float> values) {
    at::Tensor target = mlp.parameters()[i].tensor;
    target.copy_(at::tensor(values).view(target.sizes()));
  };
  set(0, {1, 2, 3, -4});
  set(1, {0.5, 1});
  set(2, {10, 1, -1, 2});
  set(3, {0, -3});
  // Hidden: 1 + 4 + 0.5 and max(0, 3 - 8 + 1); then max(0, 1 - 2 + 0.5) and 3 + 4 + 1.
  const at::Tensor out = mlp.Forward(at::tensor({1.f, 2.f, 1.f, -1.f}).view({2, 2}));
  EXPECT_TRUE(at::equal(out[0], at::tensor({55.f, -8.5f})));
  EXPECT_TRUE(at::equal(out[1], at::tensor({8.f, 13.f})));
}

TEST(ImageMlp, HasTheNamesAndSizesOfGeoclip) {
  const ImageMlp mlp({}, 1);
  std::string names;
  int64_t trainable = 0;
  for (const NamedTensor& p : mlp.parameters()) {
    names += p.name + " ";
    EXPECT_TRUE(p.tensor.requires_grad());
    trainable += p.tensor.numel();
  }
  EXPECT_EQ(names, "0.weight 0.bias 2.weight 2.bias ");
  EXPECT_EQ(trainable, 984'320);
}

TEST(ImageMlp, StartsUniformWithinTheRootOfItsInputs) {
  const ImageMlp mlp({.inputs = 100, .hidden = 400, .outputs = 50}, 7);
  const auto largest = [&](size_t i) { return mlp.parameters()[i].tensor.abs().max().item<double>(); };
  EXPECT_LE(largest(0), 0.1);
  EXPECT_GT(largest(0), 0.0999);  // of 40,000 values
  EXPECT_LE(largest(1), 0.1);
  EXPECT_LE(largest(2), 0.05);
  EXPECT_GT(largest(2), 0.0498);
  // A uniform distribution's deviation is its bound over the root of 3; 40,000 values know it to 0.3 %.
  EXPECT_NEAR(mlp.parameters()[0].tensor.std().item<double>(), 0.1 / std::sqrt(3.0), 6e-4);
  const ImageMlp again({.inputs = 100, .hidden = 400, .outputs = 50}, 7),
      other({.inputs = 100, .hidden = 400, .outputs = 50}, 8);
  EXPECT_TRUE(at::equal(mlp.parameters()[0].tensor, again.parameters()[0].tensor));
  EXPECT_FALSE(at::equal(mlp.parameters()[0].tensor, other.parameters()[0].tensor));
}

TEST(ImageMlp, ShapesThatCannotBeAreRefused) { EXPECT_THROW(ImageMlp({.hidden = 0}, 1), Error); }

}  // namespace
}  // namespace graticule
