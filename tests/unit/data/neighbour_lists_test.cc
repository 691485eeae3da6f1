#include "data/loader/neighbour_lists.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/hash.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

class NeighbourListsTest : public testing::Test {
 protected:
  std::string Write(const std::vector<uint32_t>& records_NK, int64_t k, FileSystem& fs = PosixFs()) {
    return WriteNeighbourLists(fs, path_, {records_NK, k}, {"data-hash", "by hand"});
  }
  void ExpectRefused(const std::string& reason, const std::string& data = "data-hash", int64_t records = 3) {
    const std::string failure = FailureOf([&] { NeighbourLists::Open(path_, data, records); });
    EXPECT_NE(failure.find(reason), std::string::npos) << failure;
  }
  void ChangeByte(int64_t from_end) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-from_end, std::ios::end);
    const char old = static_cast<char>(file.get());
    file.seekp(-from_end, std::ios::end);
    file.put(static_cast<char>(old ^ 1));
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "neighbours.safetensors";
};

constexpr uint32_t kNone = kNoNeighbour;

TEST_F(NeighbourListsTest, ComeBackAsTheyWereWritten) {
  const std::vector<uint32_t> lists_NK = {2, 1, 0, kNone, kNone, kNone};
  const std::string sha256 = Write(lists_NK, 2);
  EXPECT_EQ(sha256, Sha256Hex({reinterpret_cast<const char*>(lists_NK.data()), 24}));
  const auto lists = NeighbourLists::Open(path_, "data-hash", 3);
  EXPECT_EQ(lists->Sha256(), sha256);
  EXPECT_EQ(lists->method(), "by hand");
  EXPECT_EQ(lists->table().size(), 3);
  const auto of = [&](int64_t record) {
    const auto list = lists->table().Of(record);
    return std::vector<uint32_t>(list.begin(), list.end());
  };
  EXPECT_EQ(of(0), (std::vector<uint32_t>{2, 1}));
  EXPECT_EQ(of(1), (std::vector<uint32_t>{0}));
  EXPECT_TRUE(of(2).empty());
}

TEST_F(NeighbourListsTest, OfOtherDataAreRefused) {
  Write({2, 1, 0, kNone, kNone, kNone}, 2);
  ExpectRefused("neighbour lists of the data \"data-hash\"; expected \"other\"", "other");
  ExpectRefused("expected U32 [4, K]", "data-hash", 4);
}

TEST_F(NeighbourListsTest, DamageIsSeenWhereverItLies) {
  for (const int64_t from_end : {1, 9, 24}) {
    Write({2, 1, 0, 2, 1, 0}, 2);
    ChangeByte(from_end);
    ExpectRefused("the lists are damaged");
  }
  Write({2, 1, 0, 2, 1, 0}, 2);
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 4);
  ExpectRefused("neighbours.safetensors");
  std::filesystem::remove(path_);
  ExpectRefused("neighbours.safetensors");
}

// Also where the hash is right: whoever made the file may be wrong.
TEST_F(NeighbourListsTest, EntriesThatAreNoOtherRecordAreRefused) {
  const std::vector<std::vector<uint32_t>> wrong = {
      {2, 3, 0, 2, 1, 0},      // one past the last record
      {2, 1, 1, 2, 1, 0},      // itself
      {2, 1, kNone, 2, 1, 0},  // a gap
  };
  for (const auto& lists_NK : wrong) {
    EXPECT_THROW(Write(lists_NK, 2), Error);
    SafetensorsWriter writer;
    const auto* bytes = reinterpret_cast<const uint8_t*>(lists_NK.data());
    writer.Add("neighbour", {SafeDType::kU32, {3, 2}, bytes, 24});
    writer.SetMetadata("version", "1");
    writer.SetMetadata("data_sha256", "data-hash");
    writer.SetMetadata("sha256", Sha256Hex({reinterpret_cast<const char*>(bytes), 24}));
    writer.Write(PosixFs(), path_);
    ExpectRefused("expected another record below 3");
  }
}

TEST_F(NeighbourListsTest, AWriteThatFailsLeavesTheOldFile) {
  const std::string before = Write({2, 1, 0, 2, 1, 0}, 2);
  const auto full = MakeFaultyFs(PosixFs(), [](std::string_view operation, const std::string&) {
    if (operation == "rename") throw Error(ErrorCode::kCheckpoint, "no space left");
  });
  EXPECT_THROW(Write({1, 2, 2, 0, 0, 1}, 2, *full), Error);
  EXPECT_EQ(NeighbourLists::Open(path_, "data-hash", 3)->Sha256(), before);
}

}  // namespace
}  // namespace graticule
