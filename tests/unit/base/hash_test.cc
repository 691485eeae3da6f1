#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/fs.h"

namespace graticule {
namespace {

TEST(Sha256, MatchesTheVectorsOfFips180) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, HashesAMillionLettersInUnevenParts) {
  Sha256 hash;
  const std::string part(997, 'a');
  size_t left = 1'000'000;
  while (left > 0) {
    const size_t n = std::min(left, part.size());
    hash.Update(part.data(), n);
    left -= n;
  }
  EXPECT_EQ(hash.HexDigest(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfAFileEqualsThatOfItsBytes) {
  const std::string path = ::testing::TempDir() + "graticule_sha";
  WriteFileAtomically(PosixFs(), path, std::string(1'000'000, 'a'));
  WriteFileAtomically(PosixFs(), path, std::string(1'000'000, 'a') + std::string(100'000, 'b'));
  EXPECT_EQ(Sha256HexOfFile(path), Sha256Hex(std::string(1'000'000, 'a') + std::string(100'000, 'b')));
  WriteFileAtomically(PosixFs(), path, std::string(1'000'000, 'a'));
  EXPECT_EQ(Sha256HexOfFile(path), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  PosixFs().Remove(path);
}

TEST(Crc32c, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c("123456789", 9), 0xE3069283u);
  EXPECT_EQ(Crc32c("", 0), 0u);
  std::string bytes(32, '\0');
  EXPECT_EQ(Crc32c(bytes.data(), 32), 0x8A9136AAu);
  bytes.assign(32, '\xff');
  EXPECT_EQ(Crc32c(bytes.data(), 32), 0x62A8AB43u);
  for (int i = 0; i < 32; ++i) bytes[i] = static_cast<char>(i);
  EXPECT_EQ(Crc32c(bytes.data(), 32), 0x46DD794Eu);
  for (int i = 0; i < 32; ++i) bytes[i] = static_cast<char>(31 - i);
  EXPECT_EQ(Crc32c(bytes.data(), 32), 0x113FDB5Cu);
}

// Bit by bit with the reflected Castagnoli polynomial.
uint32_t SlowCrc32c(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (const unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
  }
  return ~crc;
}

TEST(Crc32c, AgreesWithTheDefinitionAtEveryLengthAndSplit) {
  std::string bytes;
  uint32_t state = 1;
  for (size_t length = 0; length < 700; ++length) {
    EXPECT_EQ(Crc32c(bytes.data(), length), SlowCrc32c(bytes)) << length;
    const size_t cut = length / 3;
    EXPECT_EQ(Crc32c(bytes.data() + cut, length - cut, Crc32c(bytes.data(), cut)), SlowCrc32c(bytes));
    bytes += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  }
}

}  // namespace
}  // namespace graticule
