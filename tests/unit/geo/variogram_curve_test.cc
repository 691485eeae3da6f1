#include "geo/variogram/variogram_curve.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/base/failure_of.h"

namespace graticule {
namespace {

VariogramCurve Example() {
  VariogramCurve curve{
      .model = {VariogramShape::kStable, 0.1, 0.3, 250, 0.75}, .rho_km = 1080, .bins = {}, .intervals = {}};
  curve.bins = {{0, 0.1, 40, 0.11, 0.05, 0.07, std::nan(""), 38.5},
                {0.1, 10, 200, 0.15, 0.1, 2, 0.01, 200},
                {100, 20015.1, 300, 0.4, 0.2, 2000, 0.02, 300}};
  curve.intervals = {{"c0", {0, 0.2}}, {"rho", {900, 1300}}};
  curve.values = "label climate";
  return curve;
}

std::string Text() { return VariogramJson(Example(), {{"records", 740}}); }

std::string Changed(const std::string& from, const std::string& to) {
  std::string text = Text();
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(VariogramCurve, ComesBackFromJson) {
  const VariogramCurve out = ParseVariogram(Text(), "v.json"), in = Example();
  EXPECT_EQ(out.model.shape, in.model.shape);
  EXPECT_EQ(out.model.range_km, 250);
  EXPECT_EQ(out.model.alpha, 0.75);
  EXPECT_EQ(out.rho_km, 1080);
  EXPECT_EQ(out.intervals, in.intervals);
  ASSERT_EQ(out.bins.size(), 3u);
  EXPECT_TRUE(std::isnan(out.bins[0].error));
  EXPECT_EQ(out.bins[1], in.bins[1]);
  const nlohmann::json json = nlohmann::json::parse(Text());
  EXPECT_EQ(json["ell"], 250);  // the names of docs/FORMATS.md
  EXPECT_EQ(json["bins"][1][3], 0.15);
  EXPECT_EQ(json["values"], "label climate");
  EXPECT_EQ(json["records"], 740);
  EXPECT_EQ(out.values, "label climate");
  EXPECT_EQ(ParseVariogram(Changed("\"values\":\"label climate\",", ""), "v.json").values, "");
}

TEST(VariogramCurve, SaysWhatIsWrongWithAFile) {
  const std::pair<std::string, std::string> mistakes[] = {
      {Changed("\"c0\":0.1", "\"c0\":-0.1"), "c0"},
      {Changed("\"c\":0.3", "\"c\":\"0.3\""), "\"c\""},
      {Changed("\"ell\":250.0", "\"a\":250.0"), "ell"},
      {Changed("\"alpha\":0.75", "\"alpha\":2.5"), "alpha"},
      {Changed("\"model\":\"stable\"", "\"model\":\"linear\""), "spherical, exponential"},
      {Changed("\"version\":1", "\"version\":2"), "version"},
      {Changed("graticule-variogram", "other"), "format"},
      {Changed("\"rho\":1080.0", "\"rho\":0.0"), "rho"},
      {Changed("[0.1,10.0,200", "[0.05,10.0,200"), "row 1"},
      {Changed("10.0,200,", "10.0,200.5,"), "row 1"},
      {Changed("0.15,0.1,2.0", "0.15,0.1,20.0"), "mean lag"},
      {Changed("0.15,0.1,2.0,", "0.15,0.1,"), "8 numbers"},
      {Changed("0.15,0.1,2.0", "0.15,null,2.0"), "std"},
      {Changed("[0.0,0.2]", "[0.0]"), "c0"},
      {Changed("\"label climate\"", "7"), "values"},
      {Text().substr(0, 200), "v.json"},
      {"[1]", "not an object"}};
  for (const auto& [text, expected] : mistakes) {
    const std::string message = FailureOf([&] { ParseVariogram(text, "v.json"); });
    EXPECT_NE(message.find(expected), std::string::npos) << message << " does not name " << expected;
    EXPECT_NE(message.find("v.json"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace graticule
