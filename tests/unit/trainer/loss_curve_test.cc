#include "trainer/eval/loss_curve.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace graticule {
namespace {

TEST(LossCurve, ReadsTheSeriesOfARun) {
  const auto curve = ParseTrainingCurve(
      R"({"step": 10, "loss": 5.5, "terms": {"geocell": 5.0, "climate": 0.5}, "lr": 1e-4, "samples_per_s": 12})"
      "\n"
      R"({"step": 20, "loss": 4.5, "terms": {"geocell": 4.25}, "lr": 9e-5, "val": {"acc_750": 0.25, "median_km": 900}})"
      "\n",
      "metrics.jsonl");
  EXPECT_EQ(curve.series.at("loss"), (std::map<int64_t, double>{{10, 5.5}, {20, 4.5}}));
  EXPECT_EQ(curve.series.at("terms/geocell").at(20), 4.25);
  EXPECT_EQ(curve.series.at("terms/climate").size(), 1u);
  EXPECT_EQ(curve.series.at("val/median_km").at(20), 900);
  EXPECT_FALSE(curve.series.contains("samples_per_s"));
}

TEST(LossCurve, KeepsTheLastRowOfAStepThatRanTwiceAndForgivesACutEnd) {
  const auto curve = ParseTrainingCurve(
      "{\"step\": 1, \"loss\": 3}\n{\"step\": 2, \"loss\": 2}\n{\"step\": 2, \"loss\": 1.5}\n{\"step\": 3, "
      "\"lo",
      "metrics.jsonl");
  EXPECT_EQ(curve.series.at("loss"), (std::map<int64_t, double>{{1, 3}, {2, 1.5}}));
}

TEST(LossCurve, NamesALineThatIsNoRow) {
  try {
    ParseTrainingCurve("{\"step\": 1, \"loss\": 3}\nhello\n{\"step\": 2}\n", "runs/a/metrics.jsonl");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    EXPECT_NE(std::string(error.what()).find("runs/a/metrics.jsonl:2"), std::string::npos);
  }
}

TEST(LossCurve, DrawsEveryPanelThatHasDataAndNoOther) {
  std::string rows;
  for (int step = 1; step <= 2000; ++step) {
    rows += "{\"step\": " + std::to_string(step) + ", \"loss\": " + std::to_string(6.0 / step) +
            ", \"lr\": 0.001}\n";
  }
  const std::string svg = LossCurveSvg(ParseTrainingCurve(rows, ""), "run");
  EXPECT_NE(svg.find("training loss"), std::string::npos);
  EXPECT_NE(svg.find("learning rate"), std::string::npos);
  EXPECT_EQ(svg.find("validation"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_LT(svg.size(), 60'000u);
  EXPECT_NE(LossCurveSvg({}, "run").find("no steps yet"), std::string::npos);
  const std::string one =
      LossCurveSvg(ParseTrainingCurve("{\"step\": 5, \"loss\": null, \"lr\": 1e-3}\n", ""), "run");
  EXPECT_EQ(one.find("nan"), std::string::npos);
  EXPECT_EQ(one.find("inf"), std::string::npos);
}

}  // namespace
}  // namespace graticule
