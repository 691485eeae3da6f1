#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>

#include "base/hash.h"
#include "data/shard/shard_reader.h"
#include "data/shard/shard_writer.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

ShardEntry WriteShard(const std::string& path, int64_t n) {
  ShardWriter writer(PosixFs(), path, {.dataset = "tiny", .split = "train"});
  for (int64_t i = 0; i < n; ++i)
    writer.Append("rec-" + std::to_string(i), TinyImage(i), {100, 64, 0}, TinyRow(i));
  return writer.Seal({});
}

// Reads a whole dataset through HDF5 itself: the independent source.
template <typename T>
std::vector<T> ByHdf5(const std::string& path, const char* name, hid_t type) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
  const hid_t space = H5Dget_space(dataset);
  std::vector<T> values(static_cast<size_t>(H5Sget_simple_extent_npoints(space)));
  EXPECT_GE(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Sclose(space);
  H5Dclose(dataset);
  H5Fclose(file);
  return values;
}

TEST(Shard, HoldsWhatWasAppendedAsHdf5SeesIt) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const ShardEntry entry = WriteShard(path, 100);
  const auto data = ByHdf5<uint8_t>(path, "/img/data", H5T_NATIVE_UINT8);
  const auto off = ByHdf5<uint64_t>(path, "/img/off", H5T_NATIVE_UINT64);
  const auto len = ByHdf5<uint32_t>(path, "/img/len", H5T_NATIVE_UINT32);
  const auto lat = ByHdf5<double>(path, "/geo/lat", H5T_NATIVE_DOUBLE);
  const auto elev = ByHdf5<float>(path, "/aux/elev_m", H5T_NATIVE_FLOAT);
  const auto id = ByHdf5<uint64_t>(path, "/id/u64", H5T_NATIVE_UINT64);
  ASSERT_EQ(off.size(), 100u);
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(off[i] % 8, 0u);
    EXPECT_EQ(std::vector<uint8_t>(data.begin() + off[i], data.begin() + off[i] + len[i]), TinyImage(i));
    EXPECT_EQ(lat[i], -60.0 + i);
    EXPECT_EQ(id[i], 1000u + i);
    EXPECT_EQ(std::isnan(elev[i]), i % 3 == 0);
    if (i % 3 != 0) {
      EXPECT_EQ(elev[i], static_cast<float>(10.5 * i));
    }
  }
  EXPECT_EQ(entry.sha256, Sha256HexOfFile(path));
  EXPECT_EQ(entry.size, std::filesystem::file_size(path));
  EXPECT_EQ(entry.img_abs_off, 1u << 20);
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
  EXPECT_FALSE(std::filesystem::exists(path + ".head.tmp"));
}

TEST(Shard, KeepsImagesAboveTheReservedMinimum) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  ShardWriter writer(PosixFs(), path, {.dataset = "tiny"});
  std::vector<std::vector<uint8_t>> images;
  for (int i = 0; i < 5; ++i) {
    images.emplace_back(700'001 + i, static_cast<uint8_t>(i + 1));
    writer.Append("x", images.back(), {}, RecordRow());
  }
  const ShardEntry entry = writer.Seal({});
  const ShardReader reader(path, &entry);
  const std::vector<ImageSlot> slots = reader.Slots();
  std::vector<uint8_t> out;
  for (int i = 0; i < 5; ++i) {
    reader.ReadImage(slots[i], i, out);
    EXPECT_EQ(out, images[i]);
  }
}

TEST(Shard, IsTheSameBytesWhenWrittenTwice) {
  const TemporaryFolder folder;
  EXPECT_EQ(WriteShard(folder / "a.h5", 10).sha256, WriteShard(folder / "b.h5", 10).sha256);
}

TEST(Shard, HoldsNoRecords) {
  const TemporaryFolder folder;
  const ShardEntry entry = WriteShard(folder / "a.h5", 0);
  const ShardReader reader(folder / "a.h5", &entry);
  EXPECT_EQ(reader.size(), 0);
  EXPECT_TRUE(reader.Slots().empty());
}

TEST(Shard, LeavesNothingBehindWhenTheDiskFills) {
  const TemporaryFolder folder;
  for (int call = 1; call < 40; ++call) {
    int calls = 0;
    const auto fs = MakeFaultyFs(PosixFs(), [&](std::string_view operation, const std::string& path) {
      if (operation != "remove" && ++calls == call) throw Error(ErrorCode::kData, "no space left", path);
    });
    bool failed = false;
    try {
      ShardWriter writer(*fs, folder / "a.h5", {.dataset = "tiny"});
      for (int i = 0; i < 3; ++i) writer.Append("r", TinyImage(i), {}, TinyRow(i));
      writer.Seal({});
    } catch (const Error&) {
      failed = true;
    }
    if (!failed) return;  // every call has been made to fail once
    for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
      // Only a renamed, whole shard may remain (when the last call, syncing the folder, failed).
      EXPECT_EQ(file.path().filename(), "a.h5") << "after failing call " << call;
      EXPECT_NO_THROW(ShardReader(file.path(), nullptr));
      std::filesystem::remove(file.path());
    }
  }
  FAIL() << "never succeeded";
}

TEST(ShardReader, DetectsEveryFlippedBitOfAnImage) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const ShardEntry entry = WriteShard(path, 50);
  const ShardReader reader(path, &entry);
  const std::vector<ImageSlot> slots = reader.Slots();
  std::mt19937_64 random(7);
  std::vector<uint8_t> out;
  for (int trial = 0; trial < 10000; ++trial) {
    const auto record = static_cast<int64_t>(random() % 50);
    const uint64_t at = entry.img_abs_off + slots[record].off + random() % slots[record].len;
    const uint8_t mask = static_cast<uint8_t>(1u << random() % 8);
    PatchByte(path, at, mask);
    EXPECT_THROW(reader.ReadImage(slots[record], record, out), BadRecord) << "trial " << trial;
    PatchByte(path, at, mask);
  }
  for (int64_t i = 0; i < 50; ++i) EXPECT_NO_THROW(reader.ReadImage(slots[i], i, out));
}

// Small images are copied from a mapping: what is cut off behind its back must not end the process.
TEST(ShardReader, SurvivesAFileThatIsCutWhileItIsOpen) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const ShardEntry entry = WriteShard(path, 400);
  const ShardReader reader(path, &entry);
  const std::vector<ImageSlot> slots = reader.Slots();
  constexpr uint64_t kPage = 4096;
  const uint64_t kept = (entry.img_abs_off + slots[200].off) / kPage * kPage;
  std::filesystem::resize_file(path, kept);
  std::vector<uint8_t> out;
  int64_t lost = 0;
  for (int64_t i = 0; i < 400; ++i) {
    const uint64_t end = entry.img_abs_off + slots[i].off + slots[i].len;
    if (end <= kept) {
      reader.ReadImage(slots[i], i, out);
      EXPECT_EQ(out, TinyImage(static_cast<int>(i)));
    } else if (++lost <= 3) {
      EXPECT_NE(FailureOf([&] { reader.ReadImage(slots[i], i, out); }).find("too early"), std::string::npos);
    }
  }
  EXPECT_GT(lost, 0);
  EXPECT_LT(lost, 400);
}

TEST(ShardReader, DetectsAFlippedBitOfTheHeadBeforeParsing) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const ShardEntry entry = WriteShard(path, 50);
  std::mt19937_64 random(8);
  for (int trial = 0; trial < 200; ++trial) {
    const uint64_t head = entry.size - entry.img_bytes;
    uint64_t at = random() % head;
    if (at >= entry.img_abs_off) at += entry.img_bytes;
    PatchByte(path, at, 4);
    EXPECT_NE(FailureOf([&] { ShardReader(path, &entry); }).find("head SHA-256"), std::string::npos);
    PatchByte(path, at, 4);
  }
}

TEST(ShardReader, ChecksColumnsWithoutAManifest) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  WriteShard(path, 50);
  const ShardReader before(path, nullptr);
  PatchByte(path, before.hdf5().datasets().at("/geo/lat").offset + 11, 1);
  const ShardReader after(path, nullptr);
  EXPECT_NO_THROW(after.Column<double>("/geo/lon"));
  EXPECT_NE(FailureOf([&] { after.Column<double>("/geo/lat"); }).find("/geo/lat"), std::string::npos);
}

TEST(ShardReader, SaysWhatATruncatedFileLacks) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const ShardEntry entry = WriteShard(path, 20);
  std::mt19937_64 random(9);
  for (int trial = 0; trial < 100; ++trial) {
    const uint64_t kept = random() % entry.size;
    const std::string cut = folder / "cut.h5";
    std::filesystem::copy_file(path, cut, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(cut, kept);
    ShardEntry named = entry;
    named.file = "cut.h5";
    const std::string message = FailureOf([&] { ShardReader(cut, &named); });
    EXPECT_NE(message.find("cut.h5"), std::string::npos);
    EXPECT_NE(message.find(std::to_string(kept)), std::string::npos) << message;
    EXPECT_NE(message.find(std::to_string(entry.size)), std::string::npos) << message;
    EXPECT_NE(FailureOf([&] { ShardReader(cut, nullptr); }), "");
  }
}

TEST(ShardReader, RefusesAFileThatIsNotAShard) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  WriteFileAtomically(PosixFs(), path, std::string(5000, 'x'));
  EXPECT_NE(FailureOf([&] { ShardReader(path, nullptr); }).find("not a readable HDF5 file"),
            std::string::npos);
  EXPECT_NE(FailureOf([&] { ShardReader(folder / "none.h5", nullptr); }).find("none.h5"), std::string::npos);
}

}  // namespace
}  // namespace graticule
