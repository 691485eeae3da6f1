// Where an import's images come from, one after the other: zips, a sliced tar, or files of a folder.
//
// Of archives only members whose names end in .jpg or .jpeg are offered; the others are counted
// (not_a_jpeg_name, member_without_name), except hidden files and __MACOSX folders. A saved place is one of
// two: before the file that Next returned last, or behind it. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/import/import_report.h"

namespace graticule {

struct ImageFile {
  std::string name;      // path inside the archive or below the folder
  uint64_t size = 0;     // bytes
  bool missing = false;  // a row whose image is not there, and which is wanted all the same
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual bool Next(ImageFile& file, ImportReport& report) = 0;
  // Bytes of the current file. False with `why` when it is damaged; Error(kData) when the source as a whole
  // is.
  virtual bool Read(std::vector<uint8_t>& out, std::string& why) = 0;
  virtual uint64_t position() const = 0;  // bytes, for progress
  virtual uint64_t size() const = 0;
  // Before the current file, the one Next returned last; or where Next will go on when it has been taken.
  virtual std::string PlaceBefore() const = 0;
  virtual std::string PlaceBehind() const = 0;
  virtual void LoadPlace(const std::string& place) = 0;  // before the first Next
  virtual std::string Fingerprint() const = 0;           // names and sizes
};

std::unique_ptr<ImageSource> MakeZipSource(std::vector<std::string> zips);
std::unique_ptr<ImageSource> MakeTarSource(std::vector<std::string> slices);
// Files below `folder`, in the order given. Missing files, and names that lead out of the folder, are passed
// over.
std::unique_ptr<ImageSource> MakeFileSource(std::string folder, std::vector<std::string> names);
// The key that a file is found by.
using KeyOfFile = std::function<std::string(std::string_view path)>;
// One file per key, in the order given, found below `folder` by its own key (Stem: the file name without
// extension); "" finds nothing. Keys without a file are passed over, or with keep_missing offered as files
// that are missing, under the key as name.
std::unique_ptr<ImageSource> MakeKeyedFileSource(std::string folder, std::vector<std::string> keys,
                                                 bool keep_missing, const KeyOfFile& key);
// All regular files below the folder, as sorted relative paths; hidden ones are left out, links followed.
// Error (kData) where a folder cannot be listed.
std::vector<std::string> ListFilesBelow(const std::string& folder);
bool HasJpegName(const std::string& path);

}  // namespace graticule
