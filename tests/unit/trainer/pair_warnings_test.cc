#include "trainer/recipes/pair_warnings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/fs.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/base/temp_folder.h"

namespace graticule {
namespace {

// As docs/FORMATS.md has it, written by hand.
std::string Curve(const std::string& sill, const std::string& values) {
  return fmt::format(
      R"({{"format": "graticule-variogram", "version": 1, "model": "spherical", "c0": 0.1, "c": {}, "a": 300,
          "rho": 300, {}"bins": [[0, 10, 50, 0.2, 0.1, 5, 0.01, 40]]}})",
      sill, values);
}
std::string State(const std::string& curve) { return R"({"variogram": )" + curve + "}"; }

const std::string kEmbeddings = R"("values": "embeddings", )", kLabel = R"("values": "label climate", )";

class PairWarningsTest : public testing::Test {
 protected:
  std::vector<std::string> Of(const std::string& file, const std::string& state) const {
    WriteFileAtomically(PosixFs(), folder_.At("v.json"), file);
    return PairWarnings({.use = "logit", .file = folder_.At("v.json")}, state);
  }
  const TempFolder folder_{"pair_warnings"};
};

TEST_F(PairWarningsTest, ACurveOfEmbeddingsIsWhatIsMeant) {
  EXPECT_TRUE(Of(Curve("0.4", kEmbeddings), "{}").empty());
  EXPECT_TRUE(Of(Curve("0.4", ""), "{}").empty()) << "it does not say what it is of";
  EXPECT_TRUE(PairWarnings({.use = "none", .file = "nowhere"}, "{}").empty());
}

TEST_F(PairWarningsTest, ACurveOfSomethingElseIsTold) {
  for (const std::string& state : {std::string("{}"), State(Curve("0.4", kLabel))}) {
    const auto lines = Of(Curve("0.4", kLabel), state);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("is a variogram of label climate, not of embeddings"), std::string::npos)
        << lines[0];
  }
}

TEST_F(PairWarningsTest, ARunThatGoesOnSaysWhenTheFileIsAnotherOne) {
  const std::string kept = State(Curve("0.4", kEmbeddings));
  EXPECT_TRUE(Of(Curve("0.40", kEmbeddings), kept).empty());
  EXPECT_TRUE(Of(Curve("0.4", kEmbeddings), State(Curve("0.4", ""))).empty())
      << "a state of an earlier version";
  for (const std::string& file : {Curve("0.41", kEmbeddings), std::string("{")}) {
    const auto lines = Of(file, kept);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("v.json is not the curve that the run was started with"), std::string::npos);
  }
}

TEST_F(PairWarningsTest, OnlyAStartNeedsTheFile) {
  const PairConfig gone{.use = "beta", .file = folder_.At("gone.json")};
  EXPECT_TRUE(PairWarnings(gone, State(Curve("0.4", kEmbeddings))).empty());
  EXPECT_NE(FailureOf([&] { PairWarnings(gone, "{}"); }).find("gone.json"), std::string::npos);
}

}  // namespace
}  // namespace graticule
