// Files made by hand; those of torch itself are in tests/parity/torch_file_test.py.
#include "base/torch_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/base/failure_of.h"
#include "tests/unit/base/temp_folder.h"
#include "tests/unit/base/torch_samples.h"

namespace graticule {
namespace {

std::shared_ptr<const TorchFile> Parse(const std::string& bytes) {
  return TorchFile::Parse({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "w.pth");
}

std::string Floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> Values(const TensorView& view) {
  EXPECT_EQ(view.dtype, SafeDType::kF32);
  std::vector<float> values(view.bytes / sizeof(float));
  if (view.bytes > 0) std::memcpy(values.data(), view.data, view.bytes);
  return values;
}

const std::vector<ZipSample> kSix = {{"m/data/0", Floats({0, 1, 2, 3, 4, 5})}};

// A file of one tensor "t" in kSix.
std::string One(int64_t offset, const std::vector<int64_t>& shape, const std::vector<int64_t>& stride) {
  return MakeTorchFile(
      Protocol2(PickleDict(PickleText("t") + PickleTensor("FloatStorage", "0", 6, offset, shape, stride))),
      kSix);
}

std::string FailureOfPickle(const std::string& pickle) {
  const std::string file = MakeTorchFile(pickle, kSix);
  return FailureOf([&] { Parse(file); });
}

TEST(TorchFile, HonoursOffsetAndStride) {
  const std::string plain = One(1, {2, 2}, {2, 1}), transposed = One(0, {3, 2}, {1, 3}),
                    sliced = One(1, {3}, {2}), expanded = One(5, {2, 2}, {0, 0}), scalar = One(4, {}, {}),
                    empty = One(0, {0, 3}, {3, 1}), ones = One(2, {1, 1}, {9, 77});
  const auto values = [](const std::string& file) { return Values(Parse(file)->tensors().at("t")); };
  EXPECT_EQ(values(plain), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(Parse(transposed)->tensors().at("t").shape, (std::vector<int64_t>{3, 2}));
  const auto kept = Parse(transposed);
  EXPECT_EQ(Values(kept->tensors().at("t")), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  const auto slice = Parse(sliced), spread = Parse(expanded);
  EXPECT_EQ(Values(slice->tensors().at("t")), (std::vector<float>{1, 3, 5}));
  EXPECT_EQ(Values(spread->tensors().at("t")), (std::vector<float>{5, 5, 5, 5}));
  EXPECT_EQ(values(scalar), (std::vector<float>{4}));
  EXPECT_EQ(values(ones), (std::vector<float>{2}));
  EXPECT_EQ(Parse(empty)->tensors().at("t").bytes, 0u);
}

TEST(TorchFile, ATensorInOrderIsAViewOfTheFile) {
  const std::string bytes = One(1, {4}, {1});
  const uint8_t* begin = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto file = Parse(bytes);
  const uint8_t* data = file->tensors().at("t").data;
  EXPECT_TRUE(data > begin && data < begin + bytes.size());
}

TEST(TorchFile, JoinsTheNamesOfNestedDictionaries) {
  const std::string t = PickleTensor("FloatStorage", "0", 6, 0, {6}, {1});
  const std::string inner = "ccollections\nOrderedDict\n)R(" + PickleText("b") + t + "u";
  const std::string file =
      MakeTorchFile(Protocol2(PickleDict(PickleText("a") + inner + PickleText("c") + t)), kSix);
  const auto read = Parse(file);
  ASSERT_EQ(read->tensors().size(), 2u);
  EXPECT_EQ(Values(read->tensors().at("a.b")), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_TRUE(read->tensors().contains("c"));
  const std::string bare = MakeTorchFile(Protocol2(t), kSix);
  EXPECT_EQ(Parse(bare)->tensors().begin()->first, "");
}

TEST(TorchFile, OpensAFileOnDisk) {
  const TempFolder folder("torch_file");
  WriteFileAtomically(PosixFs(), folder.At("w.pth"), One(0, {6}, {1}));
  EXPECT_EQ(Values(TorchFile::Open(folder.At("w.pth"))->tensors().at("t"))[5], 5);
  WriteFileAtomically(PosixFs(), folder.At("empty.pth"), "");
  FailureOf([&] { TorchFile::Open(folder.At("empty.pth")); });
  FailureOf([&] { TorchFile::Open(folder.At("none.pth")); });
}

TEST(TorchFile, NamesTheGlobalThatItDoesNotFollow) {
  const std::string text = FailureOfPickle(Protocol2("cos\nsystem\n" + PickleText("true") + "\x85R"));
  EXPECT_NE(text.find("global os.system is not one of torch._utils._rebuild_tensor_v2"), std::string::npos);
  // data.pkl is the first entry: 30 bytes of header, its name of 10, 7 of padding, then PROTO.
  EXPECT_NE(text.find("w.pth, byte 49:"), std::string::npos) << text;
  FailureOfPickle(Protocol2("cbuiltins\neval\n" + PickleText("1") + "\x85R"));
  // A known global is not called as another: neither a storage type nor with arguments of its own.
  FailureOfPickle(Protocol2("ctorch\nFloatStorage\n)R"));
  FailureOfPickle(Protocol2("ccollections\nOrderedDict\n(" + PickleInt(1) + "tR"));
}

TEST(TorchFile, RefusesOtherInstructions) {
  for (const std::string code :
       {"N", "]", "G12345678", "\x8a\x01\x01", "\x95", "i", "o", "0", "2", "a", "e", "P"})
    EXPECT_NE(FailureOfPickle(Protocol2("}" + code)).find("is not one that tensors"), std::string::npos)
        << code;
  EXPECT_NE(FailureOfPickle("\x80\x04\x95" + LittleEndian(2, 8) + "}.").find("pickle protocol 4, expected 2"),
            std::string::npos);
}

TEST(TorchFile, RefusesPicklesThatAreNotDictionariesOfTensors) {
  const std::string t = PickleTensor("FloatStorage", "0", 6, 0, {6}, {1});
  const std::string self = "}q" + LittleEndian(0, 1) + PickleText("a") + "h" + LittleEndian(0, 1) + "s";
  std::string deep;
  for (int i = 0; i < 20; ++i) deep += "}" + PickleText("a");
  deep += t + std::string(20, 's');
  for (const std::string& body :
       {std::string(),
        std::string("("),
        std::string("}}"),
        PickleText("a"),
        PickleInt(3),
        std::string(")"),
        PickleDict(PickleText("epoch") + PickleInt(3)),
        PickleDict(PickleInt(1) + t),
        PickleDict(PickleText("a")),
        PickleDict(PickleText("\xff") + t),
        PickleDict(PickleText("a") + t + PickleText("a") + t),
        self,
        deep,
        PickleDict(PickleText("a.b") + t + PickleText("a") + PickleDict(PickleText("b") + t)),
        PickleDict(PickleText("a") + "("),
        "h" + LittleEndian(0, 1),
        "}q" + LittleEndian(1, 1),
        std::string("(q\0", 3),
        PickleText("a").substr(0, 3),
        std::string("X\xff\xff\xff\xff"),
        std::string("ctorch"),
        std::string("Q"),
        std::string(")Q"),
        std::string("R"),
        std::string("b"),
        std::string("s"),
        std::string("u"),
        std::string("t"),
        PickleDict(PickleText(std::string(2000, 'n')) + t)})
    FailureOfPickle(Protocol2(body));
  FailureOfPickle("");
  FailureOfPickle(Protocol2(t) + "x");
}

TEST(TorchFile, RefusesTensorsThatLeaveTheirStorage) {
  constexpr int64_t kMost = INT32_MAX;
  const std::vector<std::string> wrong = {One(1, {6}, {1}),
                                          One(0, {2, 3}, {4, 1}),
                                          One(-1, {2}, {1}),
                                          One(7, {1}, {1}),
                                          One(0, {-1}, {1}),
                                          One(0, {2}, {-1}),
                                          One(0, {2}, {}),
                                          One(0, {kMost, kMost, kMost}, {0, 0, 0}),
                                          One(0, {0, kMost, kMost, kMost}, {0, 0, 0, 0}),
                                          One(0, {kMost}, {0}),
                                          One(0, {kMost, kMost}, {kMost, kMost}),
                                          One(0, std::vector<int64_t>(65, 1), std::vector<int64_t>(65, 1))};
  for (const std::string& file : wrong) FailureOf([&] { Parse(file); });
}

TEST(TorchFile, RefusesStoragesOfAnotherSizeOrChecksum) {
  const std::string pickle = Protocol2(PickleTensor("FloatStorage", "0", 6, 0, {6}, {1}));
  const auto with = [&](std::vector<ZipSample> storages) {
    return MakeTorchFile(pickle, std::move(storages));
  };
  EXPECT_NO_THROW(Parse(with(kSix)));
  FailureOf([&] { Parse(with({})); });
  FailureOf([&] { Parse(with({{"m/data/0", std::string(20, 'x')}})); });
  FailureOf([&] { Parse(with({{"m/data/0", std::string(25, 'x')}})); });
  FailureOf([&] { Parse(with({{"m/data/0", std::string(28, 'x')}})); });
  std::string damaged = with(kSix);
  damaged[damaged.find(Floats({3}))] ^= 1;
  EXPECT_NE(FailureOf([&] { Parse(damaged); }).find("checksum of entry \"m/data/0\""), std::string::npos);
  EXPECT_NO_THROW(Parse(with({{.name = "m/data/0", .bytes = std::string(24, 'x'), .checksum = false}})));
}

TEST(TorchFile, RefusesOtherForms) {
  const ZipSample pickle = {"m/data.pkl", Protocol2("}")}, version = {"m/version", "3\n"};
  EXPECT_TRUE(Parse(MakeZip({pickle, version}))->tensors().empty());
  EXPECT_NE(FailureOf([&] {
              Parse(MakeZip({pickle, version, {"m/byteorder", "big"}}));
            }).find("byte order \"big\""),
            std::string::npos);
  FailureOf([&] { Parse(MakeZip({pickle, {"m/version", "4"}})); });
  FailureOf([&] { Parse(MakeZip({pickle})); });
  FailureOf([&] { Parse(MakeZip({version})); });
  FailureOf([&] { Parse(MakeZip({pickle, version, {"n/data.pkl", "x"}})); });
  EXPECT_NE(FailureOf([&] { Parse(Protocol2("}")); }).find("before version 1.6"), std::string::npos);
}

// Whatever byte is lost or changed: a refusal, or the same values because nothing that is read was touched.
TEST(TorchFile, DamageIsRefusedOrMeansNothing) {
  const std::string sound = One(0, {3, 2}, {1, 3});
  const std::vector<float> expected = {0, 3, 1, 4, 2, 5};
  for (size_t n = 0; n < sound.size(); ++n) FailureOf([&] { Parse(sound.substr(0, n)); });
  int refused = 0;
  for (size_t n = 0; n < sound.size(); ++n) {
    for (const int change : {1, 0x80, 0xff}) {
      std::string damaged = sound;
      damaged[n] = static_cast<char>(damaged[n] ^ change);
      try {
        const auto file = Parse(damaged);
        EXPECT_EQ(Values(file->tensors().at("t")), expected) << "byte " << n;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kData);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, static_cast<int>(sound.size()));
}

}  // namespace
}  // namespace graticule
