#include "base/run/run_files.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/unit/base/temp_folder.h"

namespace graticule {
namespace {

class RunFilesTest : public ::testing::Test {
 protected:
  static JsonRow Row(int64_t step, double loss) { return {{"step", step}, {"loss", loss}}; }
  TempFolder temp_{"run"};
  FakeClock clock_;
  std::string dir_ = temp_.At("study/point");
};

TEST_F(RunFilesTest, StatusHoldsTheContractedFieldsInOrder) {
  RunFiles run(PosixFs(), clock_, dir_);
  clock_.Advance(5);
  run.SetStatus([](RunStatusFile& s) {
    s.state = "running";
    s.step = 12;
    s.stage = "step";
    s.last_checkpoint = "ckpt/step_00000010";
  });
  const std::string text = ReadFileToString(run.PathOf("status.json"));
  std::vector<std::string> keys;
  const auto json = nlohmann::ordered_json::parse(text);
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"state", "exit_code", "reason", "stage", "step", "attempt",
                                            "last_checkpoint", "host", "pid", "started_utc", "updated_utc"}));
  EXPECT_EQ(json["started_utc"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(json["updated_utc"], "2023-11-14T22:13:25Z");
  const RunStatusFile read = ReadStatusFile(run.PathOf("status.json"));
  EXPECT_EQ(read.step, 12);
  EXPECT_EQ(read.attempt, CurrentAttemptId());
  EXPECT_EQ(PosixFs().List(dir_), std::vector<std::string>{"status.json"});
}

TEST_F(RunFilesTest, RefusesAStatusThatIsNone) {
  for (const char* text : {"", "{", "[]", "{\"state\": \"running\"}", "{\"state\": 3}"}) {
    WriteFileAtomically(PosixFs(), temp_.At("status.json"), text);
    try {
      ReadStatusFile(temp_.At("status.json"));
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCheckpoint);
    }
  }
}

TEST_F(RunFilesTest, EachRankCanSayWhyItFailed) {
  EXPECT_TRUE(ReadRankFailures(dir_).empty());
  WriteRankFailure(PosixFs(), clock_, dir_, {10, "node2", 3, "12 bad records"});
  WriteRankFailure(PosixFs(), clock_, dir_, {2, "node1", 70, "a \"bug\""});
  WriteFileAtomically(PosixFs(), JoinPath(dir_, "failure/rank_3.json"), "{");
  const std::vector<RankFailure> failures = ReadRankFailures(dir_);
  ASSERT_EQ(failures.size(), 2u);
  EXPECT_EQ(failures[0].rank, 2);
  EXPECT_EQ(failures[0].reason, "a \"bug\"");
  EXPECT_EQ(failures[1].host, "node2");
  EXPECT_EQ(failures[1].exit_code, 3);
  RemoveRankFailures(PosixFs(), dir_);
  EXPECT_TRUE(ReadRankFailures(dir_).empty());
}

TEST_F(RunFilesTest, DropsRowsPastTheRestoredStepAndATornLine) {
  {
    RunFiles run(PosixFs(), clock_, dir_);
    for (int64_t step = 10; step <= 50; step += 10)
      run.AppendMetrics(Row(step, 1.0 / static_cast<double>(step)));
  }
  {
    auto file = PosixFs().OpenAppend(dir_ + "/metrics.jsonl");
    file->Append("not json\n{\"no step\": 1}\n{\"step\": 1.5}\n{\"step\": 20, \"lo");
  }
  RunFiles run(PosixFs(), clock_, dir_);
  run.DropMetricsAfter(30);
  run.AppendMetrics(Row(40, 7));
  EXPECT_EQ(
      ReadFileToString(dir_ + "/metrics.jsonl"),
      "{\"step\":10,\"loss\":0.1}\n{\"step\":20,\"loss\":0.05}\n{\"step\":30,\"loss\":0.03333333333333333}\n"
      "{\"step\":40,\"loss\":7.0}\n");
  run.DropMetricsAfter(0);
  EXPECT_EQ(ReadFileToString(dir_ + "/metrics.jsonl"), "");
}

TEST_F(RunFilesTest, KeepsEventsOfEarlierAttemptsAndStartsOnAFreshLine) {
  PosixFs().MakeDirs(dir_);
  WriteFileAtomically(PosixFs(), dir_ + "/events.jsonl", "{\"event\":\"start\"}\n{\"event\":\"torn");
  RunFiles run(PosixFs(), clock_, dir_);
  run.AppendEvent("checkpoint", {{"bytes", int64_t{7}}});
  const std::string text = ReadFileToString(dir_ + "/events.jsonl");
  const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
  const auto row = nlohmann::json::parse(last);
  EXPECT_EQ(row["event"], "checkpoint");
  EXPECT_EQ(row["bytes"], 7);
  EXPECT_EQ(row["time_utc"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(row["attempt"], CurrentAttemptId());
}

TEST_F(RunFilesTest, ReportsAFullDiskAsAStorageError) {
  bool full = false;
  const auto fs = MakeFaultyFs(PosixFs(), [&](std::string_view, const std::string& path) {
    if (full) throw Error(ErrorCode::kData, "No space left on device", path);
  });
  RunFiles run(*fs, clock_, dir_);
  run.SetStatus([](RunStatusFile& s) { s.state = "running"; });
  full = true;
  for (const auto& action : std::vector<std::function<void()>>{
           [&] { run.AppendMetrics(Row(1, 1)); }, [&] { run.AppendEvent("x"); },
           [&] { run.WriteResolved("a: 1\n"); },
           [&] { run.SetStatus([](RunStatusFile& s) { s.state = "failed"; }); }}) {
    try {
      action();
      ADD_FAILURE() << "did not throw";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 4);
    }
  }
  EXPECT_EQ(ReadStatusFile(dir_ + "/status.json").state, "running");  // the old file is whole
}

TEST_F(RunFilesTest, KeepsTheResolvedConfiguration) {
  RunFiles run(PosixFs(), clock_, dir_);
  run.WriteResolved("a: 1\n");
  EXPECT_EQ(ReadFileToString(run.PathOf("resolved.yaml")), "a: 1\n");
}

TEST(JsonRow, NestsNumbers) {
  EXPECT_EQ(ToJson({{"step", int64_t{3}}, {"terms", JsonNumbers{{"b", 0.5}, {"a", std::nan("")}}}}),
            R"({"step":3,"terms":{"a":null,"b":0.5}})");
}

TEST(JsonRow, WritesNullForWhatIsNoNumberAndEscapesForeignBytes) {
  EXPECT_EQ(ToJson({{"a", std::nan("")},
                    {"b", INFINITY},
                    {"c", -INFINITY},
                    {"d", true},
                    {"e", int64_t{-3}},
                    {"f", std::string("q\"\xff\n")},
                    {"g", 0.1}}),
            R"({"a":null,"b":null,"c":null,"d":true,"e":-3,"f":"q\"\\xff\\x0a","g":0.1})");
}

}  // namespace
}  // namespace graticule
