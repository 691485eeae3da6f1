// Members of a zip, or of a tar that may be cut into raw slices, read in place without extraction
// (libarchive).
//
// Zip: the central directory, ZIP64, methods stored and deflate; each member's CRC-32 is verified when it is
// read. Tar: ustar, GNU long names, pax, base-256 sizes; slices are presented as one stream, their boundaries
// may fall anywhere. A tar ends with two blocks of zeros and what pads its last record: zeros elsewhere,
// which downloaders leave where they have not written yet, are damage and no end. One thread per reader;
// others read ahead of it (base/read_ahead.h), which takes 9 MiB. Structural damage and failed reads throw
// Error(kData) naming the archive, or the slice and its byte; damage inside one member is reported by Read,
// and the next member can still be read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fs.h"

namespace graticule {

enum class ArchiveFormat { kZip, kTar };

struct ArchiveMember {
  // Full path inside the archive: UTF-8, or as stored where the archive does not say what it is; empty where
  // the stored name is not what the archive says.
  std::string name;
  uint64_t size = 0;  // of the data, as the archive states it
};

// Throws Error(kData) naming the slice where these cannot be a whole tar, as a look at sizes and end tells:
// all but the last must be equally long, the last no longer, and it must hold the end.
void CheckTarSlices(const std::vector<std::string>& slices);

// Throws Error(kData) naming every zip that is cut short or none at all, as a look at begin and end tells.
void CheckZips(const std::vector<std::string>& zips);

class ArchiveReader {
 public:
  // slices: files that concatenated in this order are the archive (one for zip).
  ArchiveReader(const std::vector<std::string>& slices, ArchiveFormat format);
  // The same over open files, for tests and fuzzing.
  ArchiveReader(std::vector<std::unique_ptr<ReadableFile>> slices, std::string name, ArchiveFormat format);
  ~ArchiveReader();

  // The next regular file; false at the end. Skips the data of the current one.
  bool Next(ArchiveMember& member);
  // The data of the current member. False with `why` when it is damaged or larger than 256 MiB.
  bool Read(std::vector<uint8_t>& out, std::string& why);
  uint64_t position() const;  // bytes of the archive consumed so far, for progress
  uint64_t size() const;      // of all slices

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graticule
