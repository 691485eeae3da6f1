// Reads the first members of an archive of any bytes: what the targets of tar and zip do with theirs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/import/archive.h"

namespace graticule {

// Errors that are not Error(kData) pass.
inline void DrainArchive(std::vector<std::unique_ptr<ReadableFile>> slices, const std::string& name,
                         ArchiveFormat format) {
  try {
    ArchiveReader reader(std::move(slices), name, format);
    ArchiveMember member;
    std::vector<uint8_t> bytes;
    std::string why;
    // A sparse member may claim far more than the archive holds; its size is refused by Read.
    for (int i = 0; i < 100 && reader.Next(member); ++i) {
      if (member.size < (1 << 20)) reader.Read(bytes, why);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
}

}  // namespace graticule
