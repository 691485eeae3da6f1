#include "base/run/checkpoint_store.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/rng.h"
#include "tests/unit/base/temp_folder.h"

namespace graticule {
namespace {

void WriteSmall(CheckpointWriter& out, int64_t step) {
  std::vector<float> weights(40, static_cast<float>(step));
  SafetensorsWriter tensors;
  tensors.Add("w", {SafeDType::kF32, {40}, reinterpret_cast<const uint8_t*>(weights.data()), 160});
  out.Write("model.safetensors", tensors);
  out.Write("state.json", "{\"step\": " + std::to_string(step) + "}");
}

class CheckpointStoreTest : public ::testing::Test {
 protected:
  CheckpointInfo Publish(int64_t step) {
    return store_.Publish(
        {.step = step, .world_size = 4, .config_hash = "abc", .extra = {{"commit", "c0ffee"}}}, 0,
        [&](CheckpointWriter& out) { WriteSmall(out, step); });
  }
  std::string Path(int64_t step, const std::string& file) { return JoinPath(store_.DirOf(step), file); }
  void Overwrite(const std::string& path, const std::string& bytes) {
    auto file = PosixFs().Create(path);
    file->Append(bytes);
    file->Close();
  }
  TempFolder temp_{"store"};
  CheckpointStore store_{PosixFs(), temp_.At("ckpt")};
};

TEST_F(CheckpointStoreTest, PublishesAFolderThatAnyToolCanVerify) {
  const CheckpointInfo info = Publish(1200);
  EXPECT_EQ(info.dir, temp_.At("ckpt/step_00001200"));
  EXPECT_EQ(PosixFs().List(info.dir),
            (std::vector<std::string>{"MANIFEST.json", "model.safetensors", "state.json"}));
  const std::string text = ReadFileToString(info.PathOf("MANIFEST.json"));
  const std::string body = text.substr(0, text.size() - 66);
  EXPECT_EQ(text.substr(body.size()), "\n" + Sha256Hex(body) + "\n");
  const auto manifest = nlohmann::json::parse(body);
  EXPECT_EQ(manifest["step"], 1200);
  EXPECT_EQ(manifest["world_size"], 4);
  EXPECT_EQ(manifest["extra"]["commit"], "c0ffee");
  for (const char* name : {"model.safetensors", "state.json"}) {
    EXPECT_EQ(manifest["files"][name]["sha256"], Sha256HexOfFile(info.PathOf(name)));
    EXPECT_EQ(manifest["files"][name]["bytes"], PosixFs().FileSize(info.PathOf(name)));
  }
  const auto tensors = SafetensorsFile::Open(info.PathOf("model.safetensors"), ErrorCode::kCheckpoint);
  float first;
  std::memcpy(&first, tensors->at("w").data, 4);
  EXPECT_EQ(first, 1200);
  const CheckpointInfo read = VerifyCheckpoint(info.dir);
  EXPECT_EQ(read.config_hash, "abc");
  EXPECT_EQ(read.files.size(), 2u);
}

TEST_F(CheckpointStoreTest, TellsNoneFromOnlyDamaged) {
  EXPECT_TRUE(store_.FindNewestValid().none());
  EXPECT_NO_THROW(store_.FindNewestValid().ThrowIfOnlyDamaged());
  Publish(1);
  Overwrite(Path(1, "state.json"), "{\"step\": 2}");
  const CheckpointScan scan = store_.FindNewestValid();
  EXPECT_FALSE(scan.none());
  EXPECT_TRUE(scan.only_damaged());
  try {
    scan.ThrowIfOnlyDamaged();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 4);
    EXPECT_NE(error.message().find("step_00000001: state.json: found SHA-256"), std::string::npos)
        << error.what();
  }
}

TEST_F(CheckpointStoreTest, FallsBackOneByOneWithReasons) {
  Publish(1);
  Publish(2);
  PosixFs().MakeDirs(temp_.At("ckpt/step_00000009"));  // what a copy that stopped early looks like
  PosixFs().MakeDirs(temp_.At("ckpt/step_00000007.tmp"));
  PosixFs().MakeDirs(temp_.At("ckpt/step_7"));
  Overwrite(temp_.At("ckpt/step_00000008"), "a file");
  PosixFs().Remove(Path(2, "model.safetensors"));
  const CheckpointScan scan = store_.FindNewestValid();
  ASSERT_TRUE(scan.newest);
  EXPECT_EQ(scan.newest->step, 1);
  ASSERT_EQ(scan.rejected.size(), 2u);
  EXPECT_EQ(scan.rejected[0].step, 9);
  EXPECT_NE(scan.rejected[0].reason.find("MANIFEST.json"), std::string::npos);
  EXPECT_EQ(scan.rejected[1].step, 2);
  EXPECT_NE(scan.rejected[1].reason.find("model.safetensors"), std::string::npos);
}

TEST_F(CheckpointStoreTest, SortsByStepAndNotByName) {
  Publish(99999999);
  Publish(100000000);
  EXPECT_EQ(store_.FindNewestValid().newest->step, 100000000);
  EXPECT_EQ(store_.Steps(), (std::vector<int64_t>{99999999, 100000000}));
}

TEST_F(CheckpointStoreTest, RefusesAFolderUnderAnotherStepsName) {
  Publish(1);
  Publish(2);
  PosixFs().Rename(store_.DirOf(2), store_.DirOf(3));
  EXPECT_EQ(store_.FindNewestValid().newest->step, 1);
}

TEST_F(CheckpointStoreTest, KeepsTheNewestTwoAndTheBest) {
  Publish(1);
  store_.RecordScore(1, "acc_750", 0.5);
  Publish(2);
  store_.RecordScore(2, "acc_750", 0.9);
  store_.RecordScore(77, "acc_750", 5);  // gone: ignored
  for (int64_t step = 3; step <= 6; ++step) {
    Publish(step);
    store_.RecordScore(step, "acc_750", 0.1);
  }
  EXPECT_EQ(store_.Steps(), (std::vector<int64_t>{2, 5, 6}));
  EXPECT_EQ(store_.BestStep(), 2);
  EXPECT_NO_THROW(VerifyCheckpoint(store_.DirOf(2)));
}

TEST_F(CheckpointStoreTest, ScoresOfDifferentMetricsAreNotCompared) {
  Publish(1);
  store_.RecordScore(1, "acc_750", 0.6);
  Publish(2);
  store_.RecordScore(2, "median_km", -50);
  EXPECT_EQ(store_.BestStep(), 2);
  Publish(3);
  store_.RecordScore(3, "median_km", -60);
  EXPECT_EQ(store_.BestStep(), 2);
}

TEST_F(CheckpointStoreTest, RetentionCountsOnlyWholeCheckpoints) {
  Publish(1);
  Publish(2);
  Overwrite(Path(2, "state.json"), "x");
  CheckpointStore other(PosixFs(),
                        temp_.At("ckpt"));  // a restarted process, which trusts nothing it did not see
  other.Publish({.step = 3}, 0, [](CheckpointWriter& out) { WriteSmall(out, 3); });
  EXPECT_NO_THROW(VerifyCheckpoint(other.DirOf(1)));
}

TEST_F(CheckpointStoreTest, DoesNotWriteAGoodStepTwiceButMendsADamagedOne) {
  Publish(1);
  bool wrote = false;
  store_.Publish({.step = 1}, 0, [&](CheckpointWriter&) { wrote = true; });
  EXPECT_FALSE(wrote);
  Overwrite(Path(1, "state.json"), "x");
  Publish(1);
  EXPECT_NO_THROW(VerifyCheckpoint(store_.DirOf(1)));
}

TEST_F(CheckpointStoreTest, RemovesLitterOfDeadWritersOnly) {
  PosixFs().MakeDirs(temp_.At("ckpt/step_00000007.tmp/x"));
  PosixFs().MakeDirs(temp_.At("ckpt/notes.tmp"));
  store_.RemoveLitter();
  EXPECT_EQ(PosixFs().List(temp_.At("ckpt")), std::vector<std::string>{"notes.tmp"});
}

TEST_F(CheckpointStoreTest, RefusesToStartWithoutRoom) {
  const uint64_t free_bytes = PosixFs().FreeBytes(temp_.path());
  EXPECT_NO_THROW(store_.CheckFreeSpace(free_bytes / 4));
  try {
    store_.CheckFreeSpace(free_bytes / 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 4);
  }
  EXPECT_THROW(store_.Publish({.step = 1}, free_bytes * 2, [](CheckpointWriter&) {}), Error);
}

TEST_F(CheckpointStoreTest, StopsBeforeTheRenameWhenTheLockIsLost) {
  Publish(1);
  store_.SetGuard([] { throw Error(ErrorCode::kPeer, "lost"); });
  try {
    Publish(2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 6);
  }
  EXPECT_EQ(store_.Steps(), std::vector<int64_t>{1});
}

TEST_F(CheckpointStoreTest, RefusesManifestsThatLeaveTheFolderOrComeFromTheFuture) {
  const auto manifest = [&](const std::string& body) {
    PosixFs().MakeDirs(store_.DirOf(5));
    Overwrite(Path(5, "MANIFEST.json"), body + "\n" + Sha256Hex(body) + "\n");
    try {
      VerifyCheckpoint(store_.DirOf(5));
      return std::string("accepted");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCheckpoint);
      return error.message();
    }
  };
  const std::string head =
      R"({"format":"graticule-checkpoint","step":5,"world_size":1,"config_hash":"","extra":{},)";
  EXPECT_EQ(manifest(head + R"("version":1,"files":{}})"), "accepted");
  EXPECT_NE(manifest(head + R"("version":1,"files":{"../x":{"bytes":1,"sha256":""}}})").find("\"../x\""),
            std::string::npos);
  EXPECT_NE(manifest(head + R"("version":2,"files":{}})").find("manifest version 2"), std::string::npos);
  EXPECT_NE(manifest(head + R"("version":1})").find("not a manifest"), std::string::npos);
  EXPECT_NE(manifest("[]").find("not a manifest"), std::string::npos);
  EXPECT_NE(manifest("{").find("not a manifest"), std::string::npos);
}

TEST_F(CheckpointStoreTest, DetectsOneFlippedBitInTenThousandPlaces) {
  Publish(1);
  Publish(2);
  const std::vector<std::string> names = {"MANIFEST.json", "model.safetensors", "state.json"};
  std::vector<std::string> original;
  uint64_t total = 0;
  for (const std::string& name : names) {
    original.push_back(ReadFileToString(Path(2, name)));
    total += original.back().size();
  }
  Rng rng(20, {.purpose = Purpose::kTest});
  for (int trial = 0; trial < 10000; ++trial) {
    uint64_t bit = rng.Below(total * 8);
    size_t f = 0;
    while (bit >= original[f].size() * 8) bit -= original[f++].size() * 8;
    std::string damaged = original[f];
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    Overwrite(Path(2, names[f]), damaged);
    try {
      VerifyCheckpoint(store_.DirOf(2));
      FAIL() << names[f] << " bit " << bit;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kCheckpoint);
      ASSERT_EQ(error.where(), Path(2, names[f])) << error.what();
    }
    if (trial % 1000 == 0) {
      const CheckpointScan scan = store_.FindNewestValid();
      ASSERT_EQ(scan.newest->step, 1);
      ASSERT_EQ(scan.rejected.size(), 1u);
    }
    Overwrite(Path(2, names[f]), original[f]);
  }
  EXPECT_EQ(store_.FindNewestValid().newest->step, 2);
}

TEST(StepFolder, IsParsedStrictly) {
  EXPECT_EQ(ParseStepFolder("step_00001200"), 1200);
  EXPECT_EQ(ParseStepFolder("step_123456789"), 123456789);
  for (const char* name : {"step_1200", "step_00001200.tmp", "step_0000120a", "step_-0001200",
                           "xstep_00001200", "step_", "step_000001200", "step_99999999999999999999"}) {
    EXPECT_FALSE(ParseStepFolder(name)) << name;
  }
}

}  // namespace
}  // namespace graticule
