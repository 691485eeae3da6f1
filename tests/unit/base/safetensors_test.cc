#include "base/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "base/text.h"

namespace graticule {
namespace {

std::string File(const std::string& header, const std::string& data = "") {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  return bytes + header + data;
}

std::shared_ptr<const SafetensorsFile> Parse(const std::string& bytes) {
  return SafetensorsFile::Parse({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "test");
}

std::string TempPath(const std::string& name) {
  return ::testing::TempDir() + "graticule_st_" + std::to_string(::getpid()) + name;
}

// Sizes and padding of the published byte vectors.
TEST(Safetensors, WritesHeadersOfThePublishedSizes) {
  const float values[6] = {1, 2, 3, 4, 5, 6};
  const auto header_bytes = [&](const std::string& name, std::vector<int64_t> shape) {
    SafetensorsWriter writer;
    writer.Add(name, {SafeDType::kF32, std::move(shape), reinterpret_cast<const uint8_t*>(values), 24});
    const std::string path = TempPath("size");
    const std::string digest = writer.Write(PosixFs(), path);
    EXPECT_EQ(writer.Serialise(), ReadFileToString(path));
    const std::string bytes = ReadFileToString(path);
    EXPECT_EQ(digest, Sha256Hex(bytes));
    for (const std::string& name : PosixFs().List(DirName(path)))
      EXPECT_FALSE(name.starts_with(BaseName(path) + ".")) << name;
    PosixFs().Remove(path);
    EXPECT_EQ(0, std::memcmp(bytes.data() + bytes.size() - 24, values, 24));
    return bytes.substr(8, bytes.size() - 32);
  };
  // The vectors are given without metadata, which takes 33 bytes more ("__metadata__":{"format":"pt"} and a
  // comma).
  const std::string plain = "{\"attn.0\":{\"dtype\":\"F32\",\"shape\":[1,2,3],\"data_offsets\":[0,24]}}";
  ASSERT_EQ(plain.size(), 64u);
  std::string expected = "{\"__metadata__\":{\"format\":\"pt\"}," + plain.substr(1);
  expected.resize(96, ' ');
  EXPECT_EQ(header_bytes("attn.0", {1, 2, 3}), expected);
}

TEST(Safetensors, ReadsThePublishedVectors) {
  EXPECT_TRUE(Parse(std::string("\x08\0\0\0\0\0\0\0{}      ", 16))->tensors().empty());
  std::string meta = "{\"__metadata__\":{\"framework\":\"pt\"}}";
  meta.resize(40, ' ');
  EXPECT_EQ(Parse(File(meta))->metadata().at("framework"), "pt");
  std::string header = "{\"attn.0\":{\"dtype\":\"F32\",\"shape\":[1,2,3],\"data_offsets\":[0,24]}}";
  header.resize(64, ' ');
  const std::string bytes = File(header, std::string(24, '\1'));
  const auto file = Parse(bytes);
  EXPECT_EQ(file->at("attn.0").shape, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(file->at("attn.0").data, reinterpret_cast<const uint8_t*>(bytes.data()) + 72);
}

TEST(Safetensors, AcceptsEmptyTensorsScalarsAndAnyKeyOrder) {
  const auto file =
      Parse(File("{\"b\":{\"data_offsets\":[0,0],\"shape\":[0,3],\"dtype\":\"F32\"},"
                 "\"a\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
                 "\"z\":{\"dtype\":\"BOOL\",\"shape\":[0],\"data_offsets\":[8,8]}}",
                 std::string(8, '\0')));
  EXPECT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->at("b").bytes, 0u);
  EXPECT_TRUE(file->at("a").shape.empty());
}

TEST(Safetensors, RoundTripsEveryDtypeInTheReferenceOrder) {
  const std::pair<SafeDType, const char*> all[] = {
      {SafeDType::kBool, "BOOL"}, {SafeDType::kU8, "U8"},     {SafeDType::kI8, "I8"},
      {SafeDType::kU16, "U16"},   {SafeDType::kI16, "I16"},   {SafeDType::kU32, "U32"},
      {SafeDType::kI32, "I32"},   {SafeDType::kU64, "U64"},   {SafeDType::kI64, "I64"},
      {SafeDType::kF16, "F16"},   {SafeDType::kBF16, "BF16"}, {SafeDType::kF32, "F32"},
      {SafeDType::kF64, "F64"}};
  std::vector<uint8_t> bytes(64);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 37);
  SafetensorsWriter writer;
  for (const auto& [dtype, name] : all) {
    EXPECT_EQ(NameOf(dtype), name);
    writer.Add(name, {dtype, {2, 4}, bytes.data(), 8 * SizeOf(dtype)});
  }
  writer.SetMetadata("note", "quote \" and ü");
  const std::string path = TempPath("all");
  writer.Write(PosixFs(), path);
  const auto file = SafetensorsFile::Open(path);
  std::vector<std::pair<const uint8_t*, std::string>> order;
  for (const auto& [name, view] : file->tensors()) {
    EXPECT_EQ(0, std::memcmp(view.data, bytes.data(), view.bytes)) << name;
    EXPECT_EQ(NameOf(view.dtype), name);
    order.emplace_back(view.data, name);
  }
  std::sort(order.begin(), order.end());
  std::string names;
  for (const auto& [data, name] : order) names += name + " ";
  EXPECT_EQ(names, "U64 I64 F64 F32 U32 I32 BF16 F16 U16 I16 I8 U8 BOOL ");
  EXPECT_EQ(file->metadata().at("format"), "pt");
  EXPECT_EQ(file->metadata().at("note"), "quote \" and ü");
  PosixFs().Remove(path);
}

TEST(Safetensors, SuggestsTheNearestTensor) {
  const std::string bytes =
      File("{\"heads.cells.weight\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "x");
  const auto file = Parse(bytes);
  try {
    file->at("heads.cell.weight");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("\"heads.cells.weight\""), std::string::npos);
  }
}

TEST(Safetensors, UsesTheErrorCodeOfTheCaller) {
  try {
    SafetensorsFile::Open("/nonexistent/model.safetensors", ErrorCode::kCheckpoint);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCheckpoint);
  }
}

struct Malformed {
  std::string name, bytes;
};

std::string Entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"a\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
}

std::vector<Malformed> MalformedFiles() {
  const std::string ok = Entry("\"U8\"", "[4]", "[0,4]");
  const std::string four = "wxyz";
  const auto number = [](uint64_t n) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &n, 8);
    return bytes;
  };
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100000; ++i) deep += "[";
  std::string wide = "[1";
  for (int i = 0; i < 70; ++i) wide += ",1";
  return {
      {"empty file", ""},
      {"seven bytes", std::string(7, '\0')},
      {"no header", number(0)},
      {"header beyond the file", number(3) + "{}"},
      {"header length all ones", number(~0ull) + "{}"},
      {"header length that overflows", number(~0ull - 7) + "{}"},
      {"header above 100 MB", number(100'000'001) + "{}"},
      {"header is a list", File("[]")},
      {"header is a string", File("\"{}\"")},
      {"leading space", File(" {}")},
      {"byte order mark", File("\xEF\xBB\xBF{}")},
      {"open brace only", File("{")},
      {"two objects", File("{}{}")},
      {"hidden after NUL", File(std::string("{}\0{", 4))},
      {"comment", File("{/* */}")},
      {"trailing comma", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},}", four)},
      {"invalid UTF-8 in a name",
       File("{\"\xC0\xAF\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", four)},
      {"lone surrogate", File("{\"\\ud800\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", four)},
      {"nested too deep", File(deep)},
      {"duplicate tensor", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                                "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
                                four)},
      {"duplicate attribute",
       File("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", four)},
      {"duplicate metadata", File("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}")},
      {"metadata twice", File("{\"__metadata__\":{},\"__metadata__\":{}}")},
      {"metadata number", File("{\"__metadata__\":{\"a\":1}}")},
      {"metadata object", File("{\"__metadata__\":{\"a\":{}}}")},
      {"metadata null", File("{\"__metadata__\":null}")},
      {"metadata list", File("{\"__metadata__\":[\"a\"]}")},
      {"tensor is a number", File("{\"a\":1}")},
      {"tensor is null", File("{\"a\":null}")},
      {"tensor is empty", File("{\"a\":{}}")},
      {"no dtype", File("{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", four)},
      {"no shape", File("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", four)},
      {"no offsets", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", four)},
      {"unknown attribute",
       File("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":\"\"}}", four)},
      {"unknown dtype", File(Entry("\"X8\"", "[4]", "[0,4]"), four)},
      {"lower-case dtype", File(Entry("\"u8\"", "[4]", "[0,4]"), four)},
      {"dtype is a number", File(Entry("8", "[4]", "[0,4]"), four)},
      {"shape is a number", File(Entry("\"U8\"", "4", "[0,4]"), four)},
      {"shape of strings", File(Entry("\"U8\"", "[\"4\"]", "[0,4]"), four)},
      {"negative extent", File(Entry("\"U8\"", "[-4]", "[0,4]"), four)},
      {"fractional extent", File(Entry("\"U8\"", "[4.0]", "[0,4]"), four)},
      {"exponent extent", File(Entry("\"U8\"", "[4e0]", "[0,4]"), four)},
      {"extent above 2^48", File(Entry("\"U8\"", "[281474976710656,0]", "[0,0]"))},
      {"shape nested", File(Entry("\"U8\"", "[[4]]", "[0,4]"), four)},
      {"too many dimensions", File(Entry("\"U8\"", wide + "]", "[0,1]"), "w")},
      {"product overflows", File(Entry("\"U8\"", "[281474976710655,281474976710655,4]", "[0,4]"), four)},
      {"product wraps to the right size", File(Entry("\"U8\"", "[4294967296,4294967296,1]", "[0,0]"))},
      {"one offset", File(Entry("\"U8\"", "[4]", "[4]"), four)},
      {"three offsets", File(Entry("\"U8\"", "[4]", "[0,4,4]"), four)},
      {"offset as string", File(Entry("\"U8\"", "[4]", "[0,\"4\"]"), four)},
      {"backward offsets", File(Entry("\"U8\"", "[4]", "[4,0]"), four)},
      {"hole at the start", File(Entry("\"U8\"", "[3]", "[1,4]"), four)},
      {"hole between", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                            "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
                            four)},
      {"overlap", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                       "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
                       four)},
      {"same bytes twice", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                                "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
                                four)},
      {"size smaller than span", File(Entry("\"U8\"", "[3]", "[0,4]"), four)},
      {"size larger than span", File(Entry("\"F32\"", "[4]", "[0,4]"), four)},
      {"trailing byte", File(ok, four + "!")},
      {"missing byte", File(ok, "wxy")},
      {"offset beyond the file", File(Entry("\"U8\"", "[400]", "[0,400]"), four)},
      {"data without tensors", File("{}", four)},
  };
}

TEST(Safetensors, RefusesEveryMalformedFile) {
  ASSERT_NO_THROW(Parse(File(Entry("\"U8\"", "[4]", "[0,4]"), "wxyz")));
  for (const Malformed& m : MalformedFiles()) {
    try {
      Parse(m.bytes);
      ADD_FAILURE() << "accepted: " << m.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData) << m.name;
      EXPECT_LT(std::strlen(error.what()), 600u) << m.name;
    }
  }
}

TEST(Safetensors, RefusesTheSameFilesOnDisk) {
  const std::string path = TempPath("bad");
  for (const Malformed& m : MalformedFiles()) {
    WriteFileAtomically(PosixFs(), path, m.bytes);
    EXPECT_THROW(SafetensorsFile::Open(path), Error) << m.name;
    EXPECT_THROW(SafetensorsFile::Map(path), Error) << m.name;
  }
  PosixFs().Remove(path);
}

// Two tensors of which the second is cut off once the file is open.
TEST(Safetensors, OpenedFilesAreInMemoryMappedOnesAreReadWhenCopied) {
  const std::string path = TempPath("cut");
  const std::string header = R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                             R"("b":{"dtype":"U8","shape":[5],"data_offsets":[3,8]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  WriteFileAtomically(PosixFs(), path, bytes + header + "xyzABCDE");
  const auto open = SafetensorsFile::Open(path), mapped = SafetensorsFile::Map(path, ErrorCode::kCheckpoint);
  const auto copy = [](const SafetensorsFile& file, const char* name, size_t from, size_t count) {
    std::string out(count, '?');
    file.Copy(file.at(name), from, {reinterpret_cast<uint8_t*>(out.data()), count});
    return out;
  };
  EXPECT_EQ(copy(*open, "b", 1, 3), "BCD");
  EXPECT_EQ(copy(*mapped, "b", 1, 3), "BCD");
  std::filesystem::resize_file(path, 8 + header.size() + 3);
  EXPECT_EQ(copy(*open, "b", 4, 1), "E");
  EXPECT_EQ(copy(*mapped, "a", 0, 3), "xyz");
  try {
    copy(*mapped, "b", 0, 5);
    FAIL() << "bytes that are gone were copied";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCheckpoint);
    EXPECT_EQ(error.where(), path);
  }
  PosixFs().Remove(path);
}

}  // namespace
}  // namespace graticule
