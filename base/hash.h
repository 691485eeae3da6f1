// Content hashes: SHA-256 for identity (files, configurations, checkpoints), CRC32C for each record read, and
// the CRC-32 that zip files carry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace graticule {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  void Update(const void* data, size_t bytes);
  void Update(std::string_view text) { Update(text.data(), text.size()); }
  std::string HexDigest();  // 64 lower-case hex digits; the object is spent afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string Sha256Hex(std::string_view bytes);
// Streams the file, reading ahead (base/read_ahead.h). Throws Error(kData).
std::string Sha256HexOfFile(const std::string& path);

// Castagnoli CRC (RFC 3720). Crc32c("123456789") == 0xE3069283. Extend with crc = previous result.
uint32_t Crc32c(const void* data, size_t bytes, uint32_t crc = 0);
// The CRC of gzip and zip (RFC 1952). Crc32("123456789") == 0xCBF43926.
uint32_t Crc32(const void* data, size_t bytes);

}  // namespace graticule
