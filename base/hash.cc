#include "base/hash.h"

#include <fmt/format.h>
#include <isa-l/crc.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/error.h"
#include "base/fs.h"
#include "base/read_ahead.h"

namespace graticule {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  GRATICULE_CHECK(
      state_->context != nullptr && EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1,
      "libcrypto offers no SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;

void Sha256::Update(const void* data, size_t bytes) {
  GRATICULE_CHECK(EVP_DigestUpdate(state_->context, data, bytes) == 1);
}

std::string Sha256::HexDigest() {
  unsigned char digest[32];
  unsigned int length = 0;
  GRATICULE_CHECK(EVP_DigestFinal_ex(state_->context, digest, &length) == 1 && length == sizeof(digest));
  std::string hex;
  hex.reserve(64);
  for (const unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.HexDigest();
}

std::string Sha256HexOfFile(const std::string& path) {
  const auto file = PosixFs().Open(path);
  ReadAhead blocks(*file);
  Sha256 hash;
  for (uint64_t at = 0; at < file->size();) {
    const std::span<const uint8_t> bytes = blocks.From(at);
    hash.Update(bytes.data(), bytes.size());
    at += bytes.size();
  }
  return hash.HexDigest();
}

uint32_t Crc32c(const void* data, size_t bytes, uint32_t crc) {
  // isa-l leaves both inversions of RFC 3720 to the caller, takes a mutable pointer and counts in int.
  auto* at = static_cast<unsigned char*>(const_cast<void*>(data));
  uint32_t state = ~crc;
  while (bytes > 0) {
    const int part = static_cast<int>(std::min<size_t>(bytes, size_t{1} << 30));
    state = crc32_iscsi(at, part, state);
    at += part;
    bytes -= part;
  }
  return ~state;
}

uint32_t Crc32(const void* data, size_t bytes) {
  return crc32_gzip_refl(0, static_cast<const unsigned char*>(data), bytes);
}

}  // namespace graticule
