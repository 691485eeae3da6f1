#include "trainer/run/run_start.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/fs.h"
#include "base/run/checkpoint_store.h"

namespace graticule {
namespace {

struct Config {
  double lr = 1;
  int64_t threads = 1, rows = 1;
  void Bind(Section& s) {
    s.Field("lr", &lr);
    s.Field("threads", &threads, {.on_resume = OnResume::kWarn});
    s.Field("rows", &rows, {.on_resume = OnResume::kFree});
  }
};

class RunStartTest : public testing::Test {
 protected:
  RunStartTest() {
    dir_ = testing::TempDir() + "run_start_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(dir_);
    config_.Bind(root_);
  }
  ~RunStartTest() override { std::filesystem::remove_all(dir_); }

  void Save(int64_t step) {
    TrainState state;
    state.step = step;
    state.total_steps = 20;
    CheckpointInfo about;
    about.step = step;
    CheckpointStore(PosixFs(), JoinPath(dir_, "ckpt")).Publish(about, 0, [&](CheckpointWriter& out) {
      out.Write("state.json", ToJson(state));
    });
    WriteFileAtomically(PosixFs(), JoinPath(dir_, "resolved.yaml"), kResolved);
  }
  void Damage(int64_t step) {
    const std::string path = CheckpointStore(PosixFs(), JoinPath(dir_, "ckpt")).DirOf(step) + "/state.json";
    std::ofstream(path, std::ios::app) << " ";
  }
  RunStart Find(const std::string& yaml = kResolved, bool fresh = false) {
    return FindRunStart(dir_, root_, yaml, fresh);
  }
  // The message of the error that Find throws with `code`.
  std::string Refusal(ErrorCode code, const std::string& yaml = kResolved, bool fresh = false) {
    try {
      Find(yaml, fresh);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    ADD_FAILURE() << "nothing was refused";
    return "";
  }

  static constexpr const char* kResolved = "lr: 1\nthreads: 1\nrows: 1\n";
  std::string dir_;
  Config config_;
  Section root_;
};

TEST_F(RunStartTest, NothingThereStartsFresh) {
  EXPECT_EQ(Find().kind, RunStart::Kind::kFresh);
  EXPECT_EQ(Find(kResolved, /*fresh=*/true).kind, RunStart::Kind::kFresh);
}

TEST_F(RunStartTest, AFolderWithoutCheckpointsStartsAtStepZero) {
  PosixFs().MakeDirs(dir_);
  WriteFileAtomically(PosixFs(), JoinPath(dir_, "status.json"), "{}");
  EXPECT_EQ(Find().kind, RunStart::Kind::kFresh);
  EXPECT_EQ(Find().state.step, 0);
  // A start that failed before its first step does not forbid --fresh; rows of metrics do.
  EXPECT_EQ(Find(kResolved, /*fresh=*/true).kind, RunStart::Kind::kFresh);
  WriteFileAtomically(PosixFs(), JoinPath(dir_, "metrics.jsonl"), "{}\n");
  EXPECT_NE(Refusal(ErrorCode::kUsage, kResolved, true).find("--fresh"), std::string::npos);
}

TEST_F(RunStartTest, TheNewestValidCheckpointIsResumed) {
  Save(5);
  Save(10);
  EXPECT_EQ(Find().state.step, 10);
  Damage(10);
  const RunStart start = Find();
  EXPECT_EQ(start.kind, RunStart::Kind::kResume);
  EXPECT_EQ(start.state.step, 5);
  ASSERT_EQ(start.warnings.size(), 1u);
  EXPECT_NE(start.warnings[0].find("step_00000010"), std::string::npos);
  Damage(5);
  EXPECT_NE(Refusal(ErrorCode::kCheckpoint).find("step_00000005"), std::string::npos);
}

TEST_F(RunStartTest, AFinishedRunIsLeftAlone) {
  Save(20);
  EXPECT_EQ(Find().kind, RunStart::Kind::kFinished);
}

TEST_F(RunStartTest, FixedFieldsStopAResumeAndWarnFieldsAreTold) {
  Save(5);
  const std::string refusal = Refusal(ErrorCode::kUsage, "lr: 2\nthreads: 1\nrows: 1\n");
  EXPECT_NE(refusal.find("lr: 1 -> 2"), std::string::npos) << refusal;
  const RunStart start = Find("lr: 1\nthreads: 4\nrows: 7\n");
  EXPECT_EQ(start.kind, RunStart::Kind::kResume);
  ASSERT_EQ(start.warnings.size(), 1u);
  EXPECT_NE(start.warnings[0].find("threads: 1 -> 4"), std::string::npos);
}

TEST_F(RunStartTest, ThreeFailuresWithoutACheckpointAreACrashLoop) {
  const std::string start = R"({"event":"start"})"
                            "\n",
                    failed = R"({"event":"end","state":"failed"})"
                             "\n",
                    saved = R"({"event":"checkpoint"})"
                            "\n",
                    killed = R"({"event":"lost","code":137})"
                             "\n",
                    node_lost = R"({"event":"lost","code":205})"
                                "\n",
                    preempted = R"({"event":"end","state":"preempted"})"
                                "\n";
  const auto write = [&](const std::string& text) {
    PosixFs().MakeDirs(dir_);
    WriteFileAtomically(PosixFs(), JoinPath(dir_, "events.jsonl"), text);
  };
  EXPECT_NO_THROW(RefuseCrashLoop(dir_));
  for (const std::string& fine :
       {start + failed + start + failed, start + failed + start + failed + start + saved + failed,
        start + failed + start + failed + start + preempted + start + failed, start + start + start + start,
        start + node_lost + start + node_lost + start + node_lost,
        start + killed + start + killed + start + saved + killed}) {
    write(fine);
    EXPECT_NO_THROW(RefuseCrashLoop(dir_)) << fine;
  }
  for (const std::string& loop : {start + failed + start + start + failed + start + failed,
                                  start + killed + start + killed + start + killed}) {
    write(loop);
    try {
      RefuseCrashLoop(dir_);
      ADD_FAILURE() << loop;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 7);
    }
  }
}

TEST_F(RunStartTest, OtherDataIsRefused) {
  TrainState state;
  state.data_sha256 = "a";
  state.cells_sha256 = "b";
  state.order = "c";
  state.embeddings_sha256 = "e";
  state.gallery_sha256 = "g";
  EXPECT_NO_THROW(CheckSameInputs(state, state));
  for (std::string TrainState::*field : {&TrainState::data_sha256, &TrainState::cells_sha256, &TrainState::order,
                                         &TrainState::embeddings_sha256, &TrainState::gallery_sha256}) {
    TrainState now = state;
    now.*field = "x";
    EXPECT_THROW(CheckSameInputs(state, now), Error);
  }
}

}  // namespace
}  // namespace graticule
