#include "data/loader/plan_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/hash.h"
#include "data/loader/sample_order.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

class PlanFolderTest : public testing::Test {
 protected:
  PlanFolderOptions Options() { return {folder_.path(), "by-hand-v1", 5, 4}; }
  static void ExpectRefused(PlanFolder& plans, int64_t epoch, const std::string& sha256,
                            const std::string& reason) {
    const std::string failure = FailureOf([&] { plans.Open(epoch, sha256); });
    EXPECT_NE(failure.find(reason), std::string::npos) << failure;
  }

  const TemporaryFolder folder_;
};

const std::vector<uint32_t> kFirst = {4, 0, 3, 1}, kSecond = {2, 1, 0, 4};

TEST_F(PlanFolderTest, FilesAreBareNumbers) {
  PlanFolder plans(Options());
  const std::string sha256 = plans.Write(PosixFs(), 12, kFirst);
  EXPECT_EQ(plans.PathOf(12), folder_ / "epoch_0012.u32");
  const std::string expected("\4\0\0\0\0\0\0\0\3\0\0\0\1\0\0\0", 16);
  EXPECT_EQ(ReadFileToString(plans.PathOf(12)), expected);
  EXPECT_EQ(sha256, Sha256Hex(expected));
}

TEST_F(PlanFolderTest, AnOrderServesThePlansThatAreOpen) {
  const auto plans = std::make_shared<PlanFolder>(Options());
  const std::string first = plans->Write(PosixFs(), 0, kFirst), second = plans->Write(PosixFs(), 1, kSecond);
  plans->Open(0, first);
  plans->Open(1, second);
  OrderOptions options{.records = 5, .epoch_samples = 4};
  options.plans = plans;
  const auto order = SampleOrder::Create(options);
  EXPECT_EQ(order->name(), "by-hand-v1");
  for (int64_t i = 0; i < 4; ++i) {  // to and fro
    EXPECT_EQ(order->RecordAt(0, i), kFirst[i]);
    EXPECT_EQ(order->RecordAt(1, i), kSecond[i]);
  }
  EXPECT_EQ(order->PassAt(1, 0), 1);
}

TEST_F(PlanFolderTest, APlanMadeAgainReplacesTheOldOne) {
  PlanFolder plans(Options());
  plans.Open(3, plans.Write(PosixFs(), 3, kFirst));
  const auto old = plans.At(3);
  plans.Open(3, plans.Write(PosixFs(), 3, kSecond));
  EXPECT_EQ(*plans.At(3), kSecond);
  EXPECT_EQ(*old, kFirst);
}

// What happens to the file afterwards does not matter, as it would to a mapping.
TEST_F(PlanFolderTest, APlanIsInMemory) {
  PlanFolder plans(Options());
  plans.Open(0, plans.Write(PosixFs(), 0, kFirst));
  std::filesystem::resize_file(plans.PathOf(0), 0);
  EXPECT_EQ(*plans.At(0), kFirst);
}

TEST_F(PlanFolderTest, RefusesWhatIsLostDamagedOrForeign) {
  PlanFolder plans(Options());
  ExpectRefused(plans, 0, "", "epoch_0000.u32");
  const std::string sha256 = plans.Write(PosixFs(), 0, kFirst);
  ExpectRefused(plans, 0, Sha256Hex("another"), "the plan's SHA-256 is " + sha256);
  std::ofstream(plans.PathOf(0), std::ios::binary | std::ios::app) << '\0';
  ExpectRefused(plans, 0, sha256, "the plan has 17 bytes; expected 16");
  PlanFolder smaller({folder_.path(), "by-hand-v1", 3, 3});
  const std::string foreign("\2\0\0\0\3\0\0\0\0\0\0\0", 12);
  std::ofstream(plans.PathOf(1), std::ios::binary) << foreign;
  ExpectRefused(smaller, 1, Sha256Hex(foreign), "the plan names record 3; expected below 3");
}

TEST_F(PlanFolderTest, AnOrderOfShorterEpochsHasNoPlan) {
  OrderOptions options{.records = 5, .epoch_samples = 4};
  options.plans = std::make_shared<PlanFolder>(Options());
  options.endless = true;
  EXPECT_THROW(SampleOrder::Create(options), Error);
  options.endless = false;
  options.block.records = 2;
  EXPECT_THROW(SampleOrder::Create(options), Error);
}

}  // namespace
}  // namespace graticule
