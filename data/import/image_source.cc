#include "data/import/image_source.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "base/fs.h"
#include "base/hash.h"
#include "data/import/archive.h"
#include "data/import/layout.h"

namespace graticule {
namespace {

bool IsHidden(const std::string& path) {
  return path.starts_with("__MACOSX/") || path.find("/__MACOSX/") != std::string::npos ||
         BaseName(path).starts_with(".");
}

// A table must not name files outside its folder.
bool LeavesFolder(const std::string& name) {
  return name.starts_with("/") || name.starts_with("../") || name.find("/../") != std::string::npos;
}

// What a file may be called on disk whose name stood in a Latin-1 table and is UTF-8 now; "" for names that
// no such table holds.
std::string InLatin1(std::string_view utf8) {
  std::string name;
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      name += utf8[i];
    } else if ((byte == 0xC2 || byte == 0xC3) && i + 1 < utf8.size()) {
      name += static_cast<char>(byte << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3F));
    } else {
      return "";
    }
  }
  return name == utf8 ? "" : name;
}

std::string FingerprintOf(const std::vector<std::string>& paths) {
  std::string text;
  for (const std::string& path : paths)
    text += fmt::format("{} {}\n", BaseName(path), PosixFs().FileSize(path));
  return text;
}

// Archives one after the other; a place is "archive member", both counted from 0.
class ArchiveSource final : public ImageSource {
 public:
  ArchiveSource(std::vector<std::vector<std::string>> archives, ArchiveFormat format)
      : archives_(std::move(archives)), format_(format) {
    for (const auto& slices : archives_) {
      uint64_t bytes = 0;
      for (const std::string& path : slices) bytes += PosixFs().FileSize(path);
      starts_.push_back(starts_.back() + bytes);
    }
  }
  bool Next(ImageFile& file, ImportReport& report) override {
    ArchiveMember member;
    while (true) {
      if (reader_ == nullptr) {
        if (archive_ == archives_.size()) return false;
        reader_ = std::make_unique<ArchiveReader>(archives_[archive_], format_);
        next_member_ = 0;
        for (; skip_ > 0; --skip_, ++next_member_) reader_->Next(member);
      }
      if (!reader_->Next(member)) {
        reader_.reset();
        ++archive_;
        continue;
      }
      member_ = next_member_++;
      if (member.name.empty()) {
        report.Count("member_without_name",
                     fmt::format("{}, member {}", BaseName(archives_[archive_][0]), member_));
        continue;
      }
      if (IsHidden(member.name)) continue;
      if (!HasJpegName(member.name)) {
        report.Count("not_a_jpeg_name", member.name);
        continue;
      }
      file = {member.name, member.size};
      return true;
    }
  }
  bool Read(std::vector<uint8_t>& out, std::string& why) override { return reader_->Read(out, why); }
  uint64_t position() const override {
    return archive_ == archives_.size() ? size()
                                        : starts_[archive_] + (reader_ == nullptr ? 0 : reader_->position());
  }
  uint64_t size() const override { return starts_.back(); }
  std::string PlaceBefore() const override { return PlaceAt(member_); }
  std::string PlaceBehind() const override { return PlaceAt(next_member_); }
  void LoadPlace(const std::string& place) override {
    char* rest = nullptr;
    archive_ = std::min<size_t>(std::strtoull(place.c_str(), &rest, 10), archives_.size());
    skip_ = std::strtoull(rest, nullptr, 10);
  }
  std::string Fingerprint() const override {
    std::string text;
    for (const auto& slices : archives_) text += FingerprintOf(slices) + "\n";
    return text;
  }

 private:
  std::string PlaceAt(uint64_t member) const {
    // Behind the last archive there is no current member.
    return reader_ == nullptr ? fmt::format("{} 0", archive_) : fmt::format("{} {}", archive_, member);
  }

  std::vector<std::vector<std::string>> archives_;
  ArchiveFormat format_;
  std::vector<uint64_t> starts_{0};
  std::unique_ptr<ArchiveReader> reader_;
  size_t archive_ = 0;
  uint64_t member_ = 0, next_member_ = 0, skip_ = 0;
};

class FileSource final : public ImageSource {
 public:
  // An empty name stands for a missing file; its key, where there are keys, is offered instead.
  FileSource(std::string folder, std::vector<std::string> names, std::vector<std::string> keys = {})
      : folder_(std::move(folder)), names_(std::move(names)), keys_(std::move(keys)) {}
  bool Next(ImageFile& file, ImportReport& report) override {
    while (next_ < names_.size()) {
      current_ = next_++;
      if (names_[current_].empty()) {
        if (keys_.empty()) continue;
        file = {keys_[current_], 0, true};
        return true;
      }
      if (LeavesFolder(names_[current_])) {
        report.Count("name_leaves_the_folder", names_[current_]);
        continue;
      }
      std::string name = names_[current_];
      path_ = JoinPath(folder_, name);
      if (!PosixFs().Exists(path_)) {
        name = InLatin1(name);
        path_ = JoinPath(folder_, name);
        if (name.empty() || !PosixFs().Exists(path_)) continue;
      }
      if (PosixFs().IsDirectory(path_)) continue;
      file = {name, PosixFs().FileSize(path_)};
      size_of_current_ = file.size;
      return true;
    }
    return false;
  }
  bool Read(std::vector<uint8_t>& out, std::string& why) override {
    constexpr uint64_t kMaxFile = 256 << 20;
    if (size_of_current_ > kMaxFile) {
      why = fmt::format("{} bytes, at most {} are allowed", size_of_current_, kMaxFile);
      return false;
    }
    const auto file = PosixFs().Open(path_);
    out.resize(file->size());
    file->ReadAt(0, out.data(), out.size());
    return true;
  }
  // Files count alike: their sizes are not known before they are reached.
  uint64_t position() const override { return next_; }
  uint64_t size() const override { return names_.size(); }
  std::string PlaceBefore() const override { return std::to_string(current_); }
  std::string PlaceBehind() const override { return std::to_string(next_); }
  void LoadPlace(const std::string& place) override { next_ = std::strtoull(place.c_str(), nullptr, 10); }
  // With the names: after a file came or went the places of those behind it are others.
  std::string Fingerprint() const override {
    Sha256 names;
    for (const std::string& name : names_) names.Update(name.c_str(), name.size() + 1);
    return fmt::format("{} files in {}: {}", names_.size(), folder_, names.HexDigest());
  }

 private:
  std::string folder_;
  std::vector<std::string> names_, keys_;
  size_t current_ = 0, next_ = 0;
  std::string path_;  // of the current file
  uint64_t size_of_current_ = 0;
};

using FolderIdentity = std::pair<dev_t, ino_t>;

// above: the folders that lead here; a link to one of them is not followed.
void ListInto(const std::string& folder, const std::string& prefix, std::vector<FolderIdentity>& above,
              std::vector<std::string>& names) {
  const auto fail = [](const char* what, const std::string& path, const std::string& why) {
    throw Error(ErrorCode::kData, fmt::format("cannot {}: {}", what, why), path,
                "Check the permissions, or take it out of the folder of images.");
  };
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) fail("list the folder", folder, std::strerror(errno));
  const FolderIdentity here(info.st_dev, info.st_ino);
  if (std::find(above.begin(), above.end(), here) != above.end()) return;
  above.push_back(here);
  std::error_code problem;
  for (std::filesystem::directory_iterator at(folder, problem), end; !problem && at != end;
       at.increment(problem)) {
    const std::string path = at->path().string(), name = prefix + at->path().filename().string();
    if (stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ELOOP) continue;  // links to nowhere
      fail("look at this", path, std::strerror(errno));
    }
    if (S_ISDIR(info.st_mode))
      ListInto(path, name + "/", above, names);
    else if (S_ISREG(info.st_mode) && !IsHidden(name))
      names.push_back(name);
  }
  if (problem) fail("list the folder", folder, problem.message());
  above.pop_back();
}

}  // namespace

bool HasJpegName(const std::string& path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos) return false;
  std::string extension = path.substr(dot + 1);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == "jpg" || extension == "jpeg";
}

std::unique_ptr<ImageSource> MakeZipSource(std::vector<std::string> zips) {
  CheckZips(zips);  // before records are made of those in front
  std::vector<std::vector<std::string>> archives;
  for (std::string& zip : zips) archives.push_back({std::move(zip)});
  return std::make_unique<ArchiveSource>(std::move(archives), ArchiveFormat::kZip);
}

std::unique_ptr<ImageSource> MakeTarSource(std::vector<std::string> slices) {
  return std::make_unique<ArchiveSource>(std::vector<std::vector<std::string>>{std::move(slices)},
                                         ArchiveFormat::kTar);
}

std::unique_ptr<ImageSource> MakeFileSource(std::string folder, std::vector<std::string> names) {
  return std::make_unique<FileSource>(std::move(folder), std::move(names));
}

std::unique_ptr<ImageSource> MakeKeyedFileSource(std::string folder, std::vector<std::string> keys,
                                                 bool keep_missing, const KeyOfFile& key) {
  std::unordered_map<std::string, std::string> paths;
  if (!folder.empty()) {
    for (std::string& name : ListFilesBelow(folder))
      if (HasJpegName(name)) paths.emplace(key(name), std::move(name));
  }
  std::vector<std::string> names(keys.size());
  for (size_t i = 0; i < keys.size(); ++i)
    if (const auto found = paths.find(keys[i]); found != paths.end()) names[i] = found->second;
  if (!keep_missing) keys.clear();
  return std::make_unique<FileSource>(std::move(folder), std::move(names), std::move(keys));
}

std::vector<std::string> ListFilesBelow(const std::string& folder) {
  std::vector<std::string> names;
  std::vector<FolderIdentity> above;
  ListInto(folder, "", above, names);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace graticule
