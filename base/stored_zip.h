// The directory of a zip file whose entries are stored as they are: where each entry's bytes lie.
//
// Follows the end record, zip64 where it is used, the central directory and each local header, and believes
// nothing that does not agree: an entry that is compressed, encrypted, outside of the file or overlapping
// another is refused, as are a comment after the end record (nothing we read has one, and a second directory
// could hide in it) and a name that comes twice. Sizes come from the directory, so data descriptors need no
// reading. Everything malformed is Error(kData) with the byte. Memory is in proportion to the directory.
//
// Own code because `base` needs offsets into memory, which no library in the house gives: libarchive hands
// out copies and follows local headers, which in these files are empty. Source: APPNOTE.TXT 6.3.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

struct StoredEntry {
  std::string_view name;
  uint64_t offset = 0;  // of its first byte in the file
  std::span<const uint8_t> bytes;
  uint32_t crc32 = 0;  // as the directory says; not compared here
};

// In order of offset. The entries point into `zip`, which the caller keeps alive. file: for messages.
std::vector<StoredEntry> ReadStoredZip(std::span<const uint8_t> zip, const std::string& file);

}  // namespace graticule
