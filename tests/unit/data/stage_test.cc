#include "data/stage.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <set>

#include "base/hash.h"
#include "data/dataset.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// What lies in the stage, without its lock.
Names Files(const std::string& folder) {
  Names names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
  names.erase(".lock");
  return names;
}

Names Hashes(const Manifest& manifest) {
  Names names;
  for (const ShardEntry& shard : manifest.shards) names.insert(shard.sha256);
  return names;
}

uint64_t Bytes(const Manifest& manifest) {
  uint64_t bytes = 0;
  for (const ShardEntry& shard : manifest.shards) bytes += shard.size;
  return bytes;
}

// Every copy has the bytes that its name promises.
void ExpectSound(const std::string& folder) {
  for (const std::string& name : Files(folder)) EXPECT_EQ(Sha256HexOfFile(folder + "/" + name), name);
}

class StageTest : public testing::Test {
 protected:
  StageTest()
      : a_(WriteTinyDataset(folder_ / "a", 30, 10)), b_(WriteTinyDataset(folder_ / "b", 20, 10, 500)) {}
  StageResult Fill(const std::vector<std::string>& names, uint64_t limit = 0) {
    return FillWith(PosixFs(), names, limit);
  }
  StageResult FillWith(FileSystem& files, const std::vector<std::string>& names, uint64_t limit = 0) {
    std::vector<std::string> folders;
    for (const std::string& name : names) folders.push_back(folder_ / name);
    return StageFiles(files, ShardFiles(folders), {.folder = stage_, .limit_bytes = limit});
  }
  // As if the copies of this dataset had last been used so long ago.
  void Age(const Manifest& manifest, int hours) {
    for (const std::string& name : Hashes(manifest))
      fs::last_write_time(stage_ + "/" + name, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  }
  TemporaryFolder folder_;
  std::string stage_ = folder_ / "disk/stage";
  Manifest a_, b_;
};

TEST_F(StageTest, CopiesOnceAndServesTheSameRecords) {
  EXPECT_EQ(Fill({"a", "b"}).copied, 5);
  Names both = Hashes(a_);
  both.merge(Hashes(b_));
  EXPECT_EQ(Files(stage_), both);
  ExpectSound(stage_);
  EXPECT_EQ(Fill({"b"}).copied, 0);
  // Emptied sources show that images and ids come from the copies; the index is still the folder's.
  const auto dataset = Dataset::Open({folder_ / "a", folder_ / "b"}, {.stage = stage_});
  for (const Manifest* m : {&a_, &b_}) {
    for (const ShardEntry& shard : m->shards) fs::remove(folder_ / (m == &a_ ? "a/" : "b/") + shard.file);
  }
  std::vector<uint8_t> out;
  for (int64_t i = 0; i < 50; ++i) {
    dataset->ReadImage(i, out);
    EXPECT_EQ(out, TinyImage(i < 30 ? i : 470 + i));
  }
  EXPECT_EQ(dataset->id(49), "rec-519");
  EXPECT_EQ(dataset->Locate(49), "tiny-00001.h5[9]");
}

TEST_F(StageTest, TheSameDatasetHasTheSameIdentityStagedOrNot) {
  Fill({"a"});
  EXPECT_EQ(Dataset::Open({folder_ / "a"}, {.stage = stage_})->Sha256(),
            Dataset::Open({folder_ / "a"})->Sha256());
}

TEST_F(StageTest, ADamagedCopyIsMadeAnew) {
  Fill({"a"});
  const std::string cut = stage_ + "/" + a_.shards[0].sha256, flipped = stage_ + "/" + a_.shards[1].sha256;
  fs::resize_file(cut, a_.shards[0].size - 1);
  PatchByte(flipped, a_.shards[1].img_abs_off + a_.shards[1].img_bytes + 7, 4);  // behind the images
  EXPECT_EQ(Fill({"a"}).copied, 2);
  ExpectSound(stage_);
}

TEST_F(StageTest, RecordsNeverDependOnTheStateOfTheCopies) {
  Fill({"a"});
  const ShardEntry& shard = a_.shards[1];
  PatchByte(stage_ + "/" + shard.sha256, shard.img_abs_off, 1);  // the first image of the second shard
  fs::remove(stage_ + "/" + a_.shards[2].sha256);
  const auto dataset = Dataset::Open({folder_ / "a"}, {.stage = stage_});
  std::vector<uint8_t> out;
  for (int64_t i = 0; i < 30; ++i) {
    dataset->ReadImage(i, out);
    EXPECT_EQ(out, TinyImage(i)) << i;
  }
}

TEST_F(StageTest, ASourceThatDiffersFromItsManifestIsNotCopied) {
  PatchByte(folder_ / "a/" + a_.shards[1].file, a_.shards[1].img_abs_off + 3, 1);
  EXPECT_EQ(Fill({"a"}).copied, std::ssize(a_.shards) - 1);
  EXPECT_EQ(Files(stage_).count(a_.shards[1].sha256), 0u);
  for (const std::string& name : Files(stage_)) EXPECT_FALSE(name.ends_with(".part"));
  const auto dataset = Dataset::Open({folder_ / "a"}, {.stage = stage_});
  std::vector<uint8_t> out;
  const int64_t damaged = a_.shards[1].first;
  EXPECT_THROW(dataset->ReadImage(damaged, out), BadRecord);  // the source itself, record by record
  dataset->ReadImage(damaged + 1, out);
  EXPECT_EQ(out, TinyImage(damaged + 1));
}

TEST_F(StageTest, AFileIsNoFolderForCopies) {
  fs::create_directories(fs::path(stage_).parent_path());
  WriteFileAtomically(PosixFs(), stage_, "x");
  FailureOf([&] { Fill({"a"}); }, ErrorCode::kUsage);
}

TEST_F(StageTest, WhatWasUsedLongestAgoGoesFirst) {
  const Manifest c = WriteTinyDataset(folder_ / "c", 20, 10, 900);
  Fill({"a", "b", "c"});
  Age(a_, 2);
  Age(b_, 3);
  Age(c, 4);
  Fill({"c"});  // used again: now b is the oldest
  const Manifest d = WriteTinyDataset(folder_ / "d", 10, 10, 2000);
  const uint64_t all = Bytes(a_) + Bytes(b_) + Bytes(c);
  EXPECT_EQ(Fill({"d"}, all).removed, 1);  // one shard of b makes room for the one of d
  const Names left = Files(stage_);
  EXPECT_EQ(left.size(), 7u);
  EXPECT_EQ(left.count(b_.shards[0].sha256) + left.count(b_.shards[1].sha256), 1u);
  for (const Manifest& kept : {a_, c, d}) {
    for (const std::string& name : Hashes(kept)) EXPECT_TRUE(left.contains(name));
  }
  // The last of b, then all of a, which is older than c.
  EXPECT_EQ(Fill({"d"}, all).removed, 0);
  EXPECT_EQ(Fill({"b", "d"}, Bytes(b_) + Bytes(c) + Bytes(d)).removed, 3);
  EXPECT_EQ(Files(stage_).count(*Hashes(a_).begin()), 0u);
}

TEST_F(StageTest, TheDatasetItselfIsNeverRemovedAndMustFit) {
  Fill({"a", "b"});
  Age(a_, 9);  // older than b, but wanted
  EXPECT_EQ(Fill({"a"}, Bytes(a_)).removed, 0) << "nothing is to be copied, so nothing is removed";
  const Manifest c = WriteTinyDataset(folder_ / "c", 10, 10, 900);
  EXPECT_EQ(Fill({"a", "c"}, Bytes(a_) + Bytes(c)).removed, 2);
  const std::string message = FailureOf([&] { Fill({"a", "b"}, Bytes(a_)); }, ErrorCode::kUsage);
  EXPECT_NE(message.find("data.stage_gb"), std::string::npos);
  Names wanted = Hashes(a_);
  wanted.merge(Hashes(c));
  EXPECT_EQ(Files(stage_), wanted) << "refused before anything was touched";
}

TEST_F(StageTest, AFullDiskIsNoticedBeforeCopying) {
  Fill({"b"});
  Manifest huge = a_;
  huge.shards[2].size = uint64_t{1} << 55;
  WriteManifest(PosixFs(), folder_ / "a", huge);
  const std::string message = FailureOf([&] { Fill({"a"}); }, ErrorCode::kCheckpoint);
  EXPECT_NE(message.find("GB are still to be copied"), std::string::npos) << message;
  EXPECT_EQ(Files(stage_), Hashes(b_)) << "nothing is removed that would not have helped";
}

TEST_F(StageTest, AFailedWriteIsTheErrorAndTheNextCallGoesOn) {
  int writes = 0;
  const auto files = MakeFaultyFs(PosixFs(), [&](std::string_view operation, const std::string& path) {
    if (operation == "write" && ++writes == 2) throw Error(ErrorCode::kCheckpoint, "no space", path);
  });
  EXPECT_NE(FailureOf([&] { FillWith(*files, {"a"}); }, ErrorCode::kCheckpoint).find("no space"),
            std::string::npos);
  EXPECT_EQ(Fill({"a"}).copied, 2);
  ExpectSound(stage_);
}

TEST_F(StageTest, FilesOfOthersAreLeftAlone) {
  fs::create_directories(stage_);
  for (const char* name : {"notes.txt", "abc.part"})
    WriteFileAtomically(PosixFs(), stage_ + "/" + name, "mine");
  Fill({"a"}, Bytes(a_));
  EXPECT_EQ(Files(stage_).size(), 5u);
}

// Kills the process at its n-th change of the disk; what is left is whole copies and at most one part, and
// the next process makes good the rest.
TEST_F(StageTest, GoesOnAfterAKillAtAnyMoment) {
  int last = 0;
  for (int n = 1; n < 200; ++n) {
    fs::remove_all(stage_);
    const pid_t child = fork();
    if (child == 0) {
      int calls = 0;
      const auto files = MakeFaultyFs(PosixFs(), [&](std::string_view, const std::string&) {
        if (++calls == n) _exit(9);
      });
      FillWith(*files, {"a"});
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    int64_t whole = 0;
    if (fs::exists(stage_)) {
      for (const std::string& name : Files(stage_)) {
        if (name.ends_with(".part")) continue;
        ++whole;
        EXPECT_EQ(Sha256HexOfFile(stage_ + "/" + name), name) << "killed at call " << n;
      }
    }
    EXPECT_EQ(Fill({"a"}).copied, 3 - whole) << "killed at call " << n;
    EXPECT_EQ(Files(stage_), Hashes(a_)) << "killed at call " << n;
    last = n;
    if (WEXITSTATUS(status) == 0) break;
  }
  EXPECT_GT(last, 15);
  EXPECT_LT(last, 199) << "the child never came to its end";
}

TEST_F(StageTest, ProcessesOfOneNodeCopyOnceAndWaitForEachOther) {
  int told[2];
  ASSERT_EQ(pipe(told), 0);
  for (int k = 0; k < 4; ++k) {
    if (fork() != 0) continue;
    // Slow enough that the others come while one copies.
    const auto files = MakeFaultyFs(PosixFs(), [](std::string_view operation, const std::string&) {
      if (operation == "write") usleep(100'000);
    });
    uint8_t copied = 99;
    try {
      copied = static_cast<uint8_t>(FillWith(*files, {"a", "b"}).copied);
      ExpectSound(stage_);
    } catch (const std::exception&) {
    }
    _exit(write(told[1], &copied, 1) == 1 ? 0 : 1);
  }
  std::multiset<int> copied;
  for (int k = 0; k < 4; ++k) {
    uint8_t count = 0;
    ASSERT_EQ(read(told[0], &count, 1), 1);
    copied.insert(count);
    wait(nullptr);
  }
  close(told[0]);
  close(told[1]);
  EXPECT_EQ(copied, (std::multiset<int>{0, 0, 0, 5}));
  ExpectSound(stage_);
}

TEST_F(StageTest, ProgressEndsAtTheWhole) {
  std::vector<uint64_t> done;
  uint64_t total = 0;
  StageFiles(PosixFs(), ShardFiles({folder_ / "a"}),
             {.folder = stage_, .progress = [&](uint64_t d, uint64_t t) {
                done.push_back(d);
                total = t;
              }});
  EXPECT_EQ(total, Bytes(a_));
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_GE(done.size(), 4u);
  EXPECT_EQ(done.back(), total);
}

}  // namespace
}  // namespace graticule
