#include "base/fs.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/base/failure_of.h"

#include <cstdint>

#include "base/atomic_file.h"
#include "base/host_allocator.h"
#include "base/text.h"

namespace graticule {
namespace {

class FsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "graticule_fs_" + std::to_string(::getpid());
    PosixFs().RemoveTree(dir_);
    PosixFs().MakeDirs(dir_);
  }
  void TearDown() override { PosixFs().RemoveTree(dir_); }
  std::string At(const std::string& name) const { return JoinPath(dir_, name); }
  std::string dir_;
};

TEST_F(FsTest, WritesAtOffsetsAndReadsExactly) {
  auto file = PosixFs().Create(At("a"));
  file->Append("hello ");
  file->Append("world");
  file->WriteAt(0, "J", 1);
  file->Append("!");
  file->Sync();
  file->Close();
  EXPECT_EQ(ReadFileToString(At("a")), "Jello world!");
  const auto readable = PosixFs().Open(At("a"));
  char part[5];
  readable->ReadAt(6, part, 5);
  EXPECT_EQ(std::string(part, 5), "world");
  EXPECT_EQ(readable->size(), 12u);
  EXPECT_EQ(PosixFs().FileSize(At("a")), 12u);
}

TEST_F(FsTest, CountsReadsThatItRepeats) {
  WriteFileAtomically(PosixFs(), At("short"), "abc");
  const auto file = PosixFs().Open(At("short"));
  char buffer[8];
  const int64_t before = RepeatedReads();
  file->ReadAt(0, buffer, 3);
  EXPECT_EQ(RepeatedReads(), before);
  EXPECT_THROW(file->ReadAt(0, buffer, 4), Error);
  EXPECT_EQ(RepeatedReads(), before + 3);
}

TEST_F(FsTest, NamesPathAndReasonWhenAFileEndsTooEarly) {
  WriteFileAtomically(PosixFs(), At("short"), "abc");
  const auto file = PosixFs().Open(At("short"));
  char buffer[8];
  try {
    file->ReadAt(1, buffer, 8);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    EXPECT_EQ(error.where(), At("short"));
    EXPECT_NE(error.message().find("ends 6 bytes too early at offset 3"), std::string::npos) << error.what();
  }
}

TEST_F(FsTest, RefusesFoldersPipesAndMissingFiles) {
  EXPECT_THROW(PosixFs().Open(dir_), Error);
  EXPECT_THROW(PosixFs().Open(At("missing")), Error);
  ASSERT_EQ(::mkfifo(At("pipe").c_str(), 0600), 0);
  EXPECT_NE(FailureOf([&] { PosixFs().Open(At("pipe")); }).find("not a regular file"), std::string::npos);
  EXPECT_NE(FailureOf([] { PosixFs().Open("/dev/null"); }).find("not a regular file"), std::string::npos);
  EXPECT_THROW(PosixFs().Create(At("no/such/folder")), Error);
  EXPECT_THROW(PosixFs().List(At("missing")), Error);
  EXPECT_NO_THROW(PosixFs().Remove(At("missing")));
  EXPECT_NO_THROW(PosixFs().RemoveTree(At("missing")));
}

TEST_F(FsTest, ListsSortedAndRemovesTrees) {
  PosixFs().MakeDirs(At("x/y/z"));
  WriteFileAtomically(PosixFs(), At("x/b"), "");
  WriteFileAtomically(PosixFs(), At("x/a"), "");
  EXPECT_EQ(PosixFs().List(At("x")), (std::vector<std::string>{"a", "b", "y"}));
  EXPECT_TRUE(PosixFs().IsDirectory(At("x/y")));
  PosixFs().RemoveTree(At("x"));
  EXPECT_FALSE(PosixFs().Exists(At("x")));
  EXPECT_GT(PosixFs().FreeBytes(dir_), 0u);
}

TEST_F(FsTest, LimitsWhatIsReadIntoMemory) {
  WriteFileAtomically(PosixFs(), At("big"), std::string(100, 'x'));
  EXPECT_THROW(ReadFileToString(At("big"), 99), Error);
  EXPECT_EQ(ReadFileToString(At("big"), 100).size(), 100u);
}

TEST_F(FsTest, AtomicWriteKeepsTheOldFileWhicheverCallFails) {
  const std::string path = At("f");
  int calls = 0;
  for (int failing = 1;; ++failing) {
    WriteFileAtomically(PosixFs(), path, "old");
    calls = 0;
    const auto fs = MakeFaultyFs(PosixFs(), [&](std::string_view operation, const std::string& where) {
      if (++calls == failing) throw Error(ErrorCode::kData, "injected " + std::string(operation), where);
    });
    try {
      WriteFileAtomically(*fs, path, "new");
      EXPECT_EQ(ReadFileToString(path), "new");
      break;
    } catch (const Error&) {
      const std::string content = ReadFileToString(path);
      EXPECT_TRUE(content == "old" || content == "new");
      EXPECT_EQ(PosixFs().List(dir_), std::vector<std::string>{"f"}) << "litter after call " << failing;
    }
  }
  EXPECT_EQ(calls, 6);  // create, write, fsync, close, rename, fsync of the folder
}

TEST_F(FsTest, AnAtomicFileShowsNothingBeforeItIsWhole) {
  WriteFileAtomically(PosixFs(), At("f"), "old");
  {
    AtomicFile given_up(PosixFs(), At("f"));
    given_up.Append("half of the n");
    EXPECT_EQ(ReadFileToString(At("f")), "old");
  }
  EXPECT_EQ(PosixFs().List(dir_), std::vector<std::string>{"f"});
  AtomicFile file(PosixFs(), At("f"));
  file.Append("n");
  file.Append("ew");
  file.Commit();
  EXPECT_EQ(ReadFileToString(At("f")), "new");
  EXPECT_EQ(PosixFs().List(dir_), std::vector<std::string>{"f"});
}

TEST(Paths, JoinAndSplit) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
  EXPECT_EQ(JoinPath("a", ""), "a");
  EXPECT_EQ(BaseName("a/b/c"), "c");
  EXPECT_EQ(BaseName("a/b/"), "b");
  EXPECT_EQ(BaseName("c"), "c");
  EXPECT_EQ(BaseName("/"), "/");
  EXPECT_EQ(DirName("a/b/c"), "a/b");
  EXPECT_EQ(DirName("a/b/"), "a");
  EXPECT_EQ(DirName("c"), ".");
  EXPECT_EQ(DirName("/c"), "/");
}

TEST(HostAllocator, AlignsAndReportsExhaustion) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{255}, size_t{4097}}) {
    void* block = PageableAllocator().Allocate(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 256, 0u);
    PageableAllocator().Free(block, bytes);
  }
  EXPECT_THROW(PageableAllocator().Allocate(SIZE_MAX - 3), Error);
}

}  // namespace
}  // namespace graticule
