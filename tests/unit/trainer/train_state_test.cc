#include "trainer/checkpoint/train_state.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace graticule {
namespace {

TEST(TrainState, ComesBackFromItsTextUnchanged) {
  TrainState s;
  s.step = 17;
  s.samples = 1700;
  s.total_steps = 40;
  s.batches_per_epoch = 9;
  s.global_batch = 100;
  s.seed = 0xfedcba9876543210;
  s.order = "feistel-v1";
  s.threads = 3;
  s.world_size = 2;
  s.plan_sha256 = "plan";
  s.lists_sha256 = "lists";
  s.recipe_state = R"({"regression":{"mean":[0.1,1e-17]}})";
  s.best_metric = "median_km";
  s.best_value = 1234.5678901234567;
  s.best_step = 12;
  const TrainState t = TrainStateFromJson(ToJson(s), "state.json");
  EXPECT_EQ(ToJson(t), ToJson(s));
  EXPECT_EQ(t.seed, s.seed);
  EXPECT_EQ(t.plan_sha256, "plan");
  EXPECT_EQ(t.lists_sha256, "lists");
  EXPECT_EQ(t.best_value, s.best_value);
  EXPECT_FALSE(t.finished());
}

TEST(TrainState, RefusesDamagedAndNewerFiles) {
  const std::string good = ToJson({});
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), good.substr(0, good.size() / 2),
        std::string("{\"format_version\": 1}"), "{\"format_version\": 2" + good.substr(good.find(','))}) {
    try {
      TrainStateFromJson(bad, "state.json");
      FAIL() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCheckpoint);
      EXPECT_EQ(error.where(), "state.json");
    }
  }
}

}  // namespace
}  // namespace graticule
