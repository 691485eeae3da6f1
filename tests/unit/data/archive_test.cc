#include "data/import/archive.h"

#include <gtest/gtest.h>

#include <random>

#include "data/synth/archive_writer.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

constexpr int kMembers = 50;

// About 30 MB: many small members, some that span blocks of reading ahead.
std::vector<uint8_t> MemberBytes(int member) {
  std::mt19937_64 random(member);
  std::vector<uint8_t> bytes(member % 3 == 0 ? random() % 3'000'000 : random() % 100'000);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

std::string MemberName(int member) { return "folder/" + std::to_string(member) + ".jpg"; }

// The paths of the archive, a tar cut into seven slices.
std::vector<std::string> WriteArchive(const TemporaryFolder& folder, ArchiveFormat format) {
  const bool zip = format == ArchiveFormat::kZip;
  const std::string path = folder / (zip ? "a.zip" : "a.tar");
  ArchiveWriter writer(path, zip ? ArchiveWriter::Format::kStoredZip : ArchiveWriter::Format::kTar);
  writer.AddDirectory("folder");
  for (int member = 0; member < kMembers; ++member) writer.AddFile(MemberName(member), MemberBytes(member));
  writer.Close();
  if (zip) return {path};
  SplitIntoSlices(path, path + ".", 7);
  std::vector<std::string> slices;
  for (int slice = 0; slice < 7; ++slice) slices.push_back(path + ".0" + std::to_string(slice));
  return slices;
}

// A file that fails where one of its bytes is read.
class BadSector final : public ReadableFile {
 public:
  BadSector(const std::string& path, uint64_t at) : file_(PosixFs().Open(path)), at_(at) {}
  uint64_t size() const override { return file_->size(); }
  int fd() const override { return -1; }
  void ReadAt(uint64_t offset, void* out, size_t bytes) const override {
    if (offset <= at_ && at_ < offset + bytes) throw Error(ErrorCode::kData, "cannot read: bad sector");
    file_->ReadAt(offset, out, bytes);
  }

 private:
  std::unique_ptr<ReadableFile> file_;
  uint64_t at_;
};

TEST(Archive, GivesEveryMemberWhicheverAreRead) {
  for (const ArchiveFormat format : {ArchiveFormat::kZip, ArchiveFormat::kTar}) {
    const TemporaryFolder folder;
    const std::vector<std::string> paths = WriteArchive(folder, format);
    for (const int every : {1, 2, 7, 20}) {
      ArchiveReader reader(paths, format);
      ArchiveMember member;
      std::vector<uint8_t> bytes;
      std::string why;
      int seen = 0;
      for (; reader.Next(member); ++seen) {
        ASSERT_EQ(member.name, MemberName(seen));
        const std::vector<uint8_t> expected = MemberBytes(seen);
        EXPECT_EQ(member.size, expected.size());
        if (seen % every != every - 1) continue;
        ASSERT_TRUE(reader.Read(bytes, why)) << why;
        ASSERT_EQ(bytes, expected) << member.name;
      }
      EXPECT_EQ(seen, kMembers);
      EXPECT_LE(reader.position(), reader.size());
    }
  }
}

TEST(Archive, GoesOnBehindADamagedMember) {
  const TemporaryFolder folder;
  const std::string path = WriteArchive(folder, ArchiveFormat::kZip)[0];
  std::string zip = ReadFileToString(path);
  const std::vector<uint8_t> victim = MemberBytes(21);
  const size_t at = zip.find(std::string(victim.begin(), victim.end()));
  ASSERT_NE(at, zip.npos);
  zip[at + victim.size() / 2] ^= 1;
  WriteFileAtomically(PosixFs(), path, zip);
  ArchiveReader reader({path}, ArchiveFormat::kZip);
  ArchiveMember member;
  std::vector<uint8_t> bytes;
  for (int i = 0; reader.Next(member); ++i) {
    std::string why;
    const bool good = reader.Read(bytes, why);
    EXPECT_EQ(good, i != 21) << member.name << ": " << why;
    if (good) ASSERT_EQ(bytes, MemberBytes(i));
  }
}

TEST(Archive, AFailedReadEndsItAtTheMemberItHits) {
  const TemporaryFolder folder;
  const std::string path = WriteArchive(folder, ArchiveFormat::kZip)[0];
  const std::vector<uint8_t> victim = MemberBytes(42);
  const size_t begin = ReadFileToString(path).find(std::string(victim.begin(), victim.end()));
  std::vector<std::unique_ptr<ReadableFile>> files;
  files.push_back(std::make_unique<BadSector>(path, begin + victim.size() - 1));
  ArchiveReader reader(std::move(files), "bad.zip", ArchiveFormat::kZip);
  ArchiveMember member;
  std::vector<uint8_t> bytes;
  int read = 0;
  const std::string told = FailureOf([&] {
    for (std::string why; reader.Next(member) && reader.Read(bytes, why); ++read)
      ASSERT_EQ(bytes, MemberBytes(read));
  });
  EXPECT_NE(told.find("cannot read: bad sector"), told.npos) << told;
  EXPECT_NE(told.find("bad.zip"), told.npos) << told;
  // Blocks of 1 MiB: what fails is at most so much before the byte itself.
  EXPECT_LE(read, 42);
  EXPECT_GE(read, 30);
}

}  // namespace
}  // namespace graticule
