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
    if (good) {
      ASSERT_EQ(bytes, MemberBytes(i));
    }
  }
}

TEST(Archive, AZipWithoutItsEndIsSaidToBeCut) {
  const TemporaryFolder folder;
  const std::string path = WriteArchive(folder, ArchiveFormat::kZip)[0];
  const auto told = [&](const std::string& bytes) {
    WriteFileAtomically(PosixFs(), path, bytes);
    return FailureOf([&] { ArchiveReader({path}, ArchiveFormat::kZip); });
  };
  const std::string half = ReadFileToString(path).substr(0, 15'000'000);
  EXPECT_NE(told(half).find("central directory, is missing behind byte 15000000"), std::string::npos);
  EXPECT_NE(told("<html>").find("no zip: its 6 bytes"), std::string::npos);
  EXPECT_NE(told("").find("no zip: its 0 bytes"), std::string::npos);
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

// What reading the whole tar tells, "" when nothing.
std::string Told(const std::vector<std::string>& slices) {
  try {
    ArchiveReader reader(slices, ArchiveFormat::kTar);
    ArchiveMember member;
    while (reader.Next(member)) {
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    return error.what();
  }
  return "";
}

void Overwrite(const std::string& path, size_t at, size_t bytes, char with) {
  std::string text = ReadFileToString(path);
  text.replace(at, bytes, bytes, with);
  WriteFileAtomically(PosixFs(), path, text);
}

TEST(Archive, ZerosThatWereNeverOverwrittenAreNotTheEndOfATar) {
  for (const bool half : {false, true}) {
    for (const size_t slice : {0, 3, 6}) {
      const TemporaryFolder folder;
      const std::vector<std::string> slices = WriteArchive(folder, ArchiveFormat::kTar);
      ASSERT_EQ(Told(slices), "");
      const size_t size = PosixFs().FileSize(slices[slice]), from = half ? size / 3 : 0;
      Overwrite(slices[slice], from, size - from, 0);
      const std::string told = Told(slices);
      EXPECT_NE(told.find(slices[slice] + ": near byte "), told.npos) << told;
      const size_t at = std::stoul(told.substr(told.find("near byte ") + 10));
      EXPECT_GE(at, from);
      EXPECT_LT(at, from + 3'000'000 + 1024) << "the longest member lies between";
      EXPECT_NE(told.find(std::to_string(6 - slice) + " slices follow"), told.npos) << told;
    }
  }
}

TEST(Archive, ATarEndsWithItsMarkerAndPaddingAlone) {
  const auto with_more = [](const std::string& more) {
    const TemporaryFolder folder;
    std::vector<std::string> slices = WriteArchive(folder, ArchiveFormat::kTar);
    WriteFileAtomically(PosixFs(), slices.back(), ReadFileToString(slices.back()) + more);
    return Told(slices);
  };
  EXPECT_EQ(with_more(std::string(300 * 512, 0)), "") << "records of more blocks than 20 are legal";
  for (const std::string& more : {std::string(9000, 0) + "x", std::string("x"), std::string(2 << 20, 0)})
    EXPECT_NE(with_more(more).find("a.tar.06: near byte"), std::string::npos) << more.size();
  const TemporaryFolder folder;
  std::vector<std::string> slices = WriteArchive(folder, ArchiveFormat::kTar);
  const std::string next = folder / "a.tar.07";
  WriteFileAtomically(PosixFs(), next, std::string(100'000, 0));
  slices.push_back(next);
  EXPECT_NE(Told(slices).find("a.tar.06: near byte"), std::string::npos);
  slices.pop_back();
  std::string last = ReadFileToString(slices.back());
  uint64_t before = 0;
  for (size_t i = 0; i + 1 < slices.size(); ++i) before += PosixFs().FileSize(slices[i]);
  last.resize((before + last.find_last_not_of('\0')) / 512 * 512 + 512 - before);  // the members alone
  WriteFileAtomically(PosixFs(), slices.back(), last);
  EXPECT_NE(Told(slices).find("without two blocks of zeros"), std::string::npos);
}

TEST(Archive, SlicesThatAreNoWholeTarAreToldBeforeReading) {
  const auto told = [](const std::vector<std::string>& slices) {
    return FailureOf([&] { CheckTarSlices(slices); });
  };
  const TemporaryFolder folder;
  std::vector<std::string> slices = WriteArchive(folder, ArchiveFormat::kTar);
  CheckTarSlices(slices);
  const std::string fifth = ReadFileToString(slices[5]);
  WriteFileAtomically(PosixFs(), slices[5], fifth.substr(0, 1000));
  const std::string short_one = told(slices);
  EXPECT_NE(short_one.find("a.tar.05: 1000 bytes, but a.tar.00 has " + std::to_string(fifth.size())),
            std::string::npos)
      << short_one;
  WriteFileAtomically(PosixFs(), slices[5], fifth + "and more");
  EXPECT_NE(told(slices).find("a.tar.05: " + std::to_string(fifth.size() + 8) + " bytes, but a.tar.00"),
            std::string::npos)
      << told(slices);
  WriteFileAtomically(PosixFs(), slices[5], fifth);
  slices.push_back(folder / "a.tar.07");  // of another archive
  WriteFileAtomically(PosixFs(), slices[7], fifth);
  EXPECT_NE(told(slices).find("a.tar.07: the tar ends with a.tar.06 already"), std::string::npos)
      << told(slices);
  slices.pop_back();
  const std::string last = ReadFileToString(slices[6]);
  WriteFileAtomically(PosixFs(), slices[6], last + std::string(fifth.size(), 0));
  EXPECT_NE(
      told(slices).find("a.tar.06: " + std::to_string(last.size() + fifth.size()) + " bytes, but a.tar.00"),
      std::string::npos)
      << told(slices);
  slices.pop_back();
  EXPECT_NE(told(slices).find("a.tar.05: the tar does not end here"), std::string::npos);
  WriteFileAtomically(PosixFs(), folder / "empty", "");
  EXPECT_NE(told({folder / "empty"}).find("the tar does not end here"), std::string::npos);
}

}  // namespace
}  // namespace graticule
