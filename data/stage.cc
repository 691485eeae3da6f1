#include "data/stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

#include "base/file_lock.h"
#include "base/hash.h"
#include "base/log.h"
#include "data/shard/shard_reader.h"

namespace graticule {
namespace {

constexpr char kPart[] = ".part";
constexpr size_t kHashDigits = 64;

bool IsCopy(const std::string& name) {
  return name.size() == kHashDigits && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// 0 where there is no such file: another process may remove it at any time.
uint64_t BytesAt(const std::string& path) {
  std::error_code gone;
  const uint64_t bytes = std::filesystem::file_size(path, gone);
  return gone ? 0 : bytes;
}

double Gigabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

class Stager {
 public:
  Stager(FileSystem& fs, const std::vector<StagedFile>& files, const StageOptions& options);
  StageResult Run();

 private:
  std::string PathOf(const StagedFile& file) const { return JoinPath(options_.folder, file.file.sha256); }
  bool IsSound(const StagedFile& file) const;
  void Report() const;
  void Touch() const;
  void Clear();
  void MakeRoom();
  void Copy(const StagedFile& source);

  FileSystem& fs_;
  const StageOptions& options_;
  std::map<std::string, StagedFile> wanted_;  // by SHA-256
  std::vector<const StagedFile*> missing_;
  uint64_t total_ = 0;  // bytes wanted
  StageResult result_;
};

Stager::Stager(FileSystem& fs, const std::vector<StagedFile>& files, const StageOptions& options)
    : fs_(fs), options_(options) {
  for (const StagedFile& file : files) {
    if (wanted_.try_emplace(file.file.sha256, file).second) total_ += file.file.size;
  }
  if (options_.limit_bytes > 0 && total_ > options_.limit_bytes) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the files take {:.3f} GB, data.stage_gb allows {:.3f}", Gigabytes(total_),
                            Gigabytes(options_.limit_bytes)),
                options_.folder,
                "Raise data.stage_gb, or leave data.stage empty to read from where they are.");
  }
  result_.files = static_cast<int64_t>(wanted_.size());
}

// The bytes were hashed on the way in, and images and pages are checked again when they are read; what is
// small is checked now.
bool Stager::IsSound(const StagedFile& file) const {
  try {
    if (BytesAt(PathOf(file)) != file.file.size) return false;
    if (!file.shard) return true;
    return HeadSha256(*fs_.Open(PathOf(file)), file.shard->img_abs_off, file.shard->img_bytes) ==
           file.shard->head_sha256;
  } catch (const Error&) {
    return false;  // removed or unreadable: copied anew
  }
}

void Stager::Report() const {
  if (!options_.progress) return;
  uint64_t done = 0;
  for (const auto& [hash, source] : wanted_) {
    const uint64_t whole = BytesAt(PathOf(source));
    done += whole > 0 ? whole : BytesAt(PathOf(source) + kPart);
  }
  options_.progress(done, total_);
}

// The time of the last change is the time of the last use: copies never change.
void Stager::Touch() const {
  for (const auto& [hash, source] : wanted_) {
    std::error_code gone;
    std::filesystem::last_write_time(PathOf(source), std::filesystem::file_time_type::clock::now(), gone);
  }
}

// What a killed process left, and copies that are wanted and damaged.
void Stager::Clear() {
  for (const std::string& name : fs_.List(options_.folder)) {
    if (name.ends_with(kPart) && IsCopy(name.substr(0, name.size() - std::string(kPart).size())))
      fs_.Remove(JoinPath(options_.folder, name));
  }
  for (const StagedFile* source : missing_) fs_.Remove(PathOf(*source));
}

void Stager::MakeRoom() {
  struct Old {
    std::filesystem::file_time_type used;
    std::string name;
    uint64_t bytes;
  };
  std::vector<Old> others;
  uint64_t need = 0, kept = 0;
  for (const StagedFile* source : missing_) need += source->file.size;
  for (const std::string& name : fs_.List(options_.folder)) {
    if (!IsCopy(name)) continue;
    const std::string path = JoinPath(options_.folder, name);
    const uint64_t bytes = BytesAt(path);
    kept += bytes;
    std::error_code gone;
    if (!wanted_.contains(name))
      others.push_back({std::filesystem::last_write_time(path, gone), name, bytes});
  }
  std::sort(others.begin(), others.end(),
            [](const Old& x, const Old& y) { return std::tie(x.used, x.name) < std::tie(y.used, y.name); });
  uint64_t free = fs_.FreeBytes(options_.folder), removable = 0;
  for (const Old& other : others) removable += other.bytes;
  if (free + removable < need) {
    throw Error(ErrorCode::kCheckpoint,
                fmt::format("{:.3f} GB are still to be copied, the disk has room for {:.3f}", Gigabytes(need),
                            Gigabytes(free + removable)),
                options_.folder, "Free space there, choose another data.stage, or leave it empty.");
  }
  for (const Old& other : others) {
    const bool over = options_.limit_bytes > 0 && kept + need > options_.limit_bytes;
    if (!over && free >= need) break;
    fs_.Remove(JoinPath(options_.folder, other.name));
    kept -= other.bytes;
    free += other.bytes;
    ++result_.removed;
  }
}

void Stager::Copy(const StagedFile& source) {
  const std::string from = JoinPath(source.folder, source.file.file), to = PathOf(source);
  CheckSize(source.folder, source.file);
  const std::unique_ptr<ReadableFile> in = fs_.Open(from);
  const std::unique_ptr<WritableFile> out = fs_.Create(to + kPart);
  class Sha256 hash;
  std::vector<char> buffer(std::min<uint64_t>(8 << 20, source.file.size));
  for (uint64_t at = 0; at < source.file.size; at += buffer.size()) {
    const size_t bytes = std::min<uint64_t>(buffer.size(), source.file.size - at);
    in->ReadAt(at, buffer.data(), bytes);
    hash.Update(buffer.data(), bytes);
    out->Append(buffer.data(), bytes);
    Report();
  }
  out->Sync();
  out->Close();
  const std::string found = hash.HexDigest();
  if (found != source.file.sha256) {
    // Whoever reads it there meets what is damaged, record by record.
    fs_.Remove(to + kPart);
    LogWarn("{}: SHA-256 is {}, the manifest says {}; it is not copied, and read where it is", from, found,
            source.file.sha256);
    return;
  }
  fs_.Rename(to + kPart, to);
  ++result_.copied;
}

StageResult Stager::Run() {
  if (fs_.Exists(options_.folder) && !fs_.IsDirectory(options_.folder))
    throw Error(ErrorCode::kUsage, "data.stage names a file", options_.folder,
                "Name a folder on the node's disk, or leave it empty.");
  fs_.MakeDirs(options_.folder);
  for (const auto& [hash, source] : wanted_) {
    if (!IsSound(source)) missing_.push_back(&source);
  }
  if (!missing_.empty()) {
    const FileLock lock(JoinPath(options_.folder, ".lock"), [this] { Report(); });
    // Those that another process copied in the meantime bear their name rightly.
    std::erase_if(missing_, [this](const StagedFile* source) { return IsSound(*source); });
    Clear();
    if (!missing_.empty()) MakeRoom();
    for (const StagedFile* source : missing_) Copy(*source);
    fs_.SyncDir(options_.folder);
  }
  Report();
  Touch();
  return result_;
}

}  // namespace

std::vector<StagedFile> ShardFiles(const std::vector<std::string>& datasets) {
  std::vector<StagedFile> files;
  for (const std::string& folder : datasets) {
    for (const ShardEntry& entry : ReadManifest(folder).shards) files.push_back({folder, entry, entry});
  }
  return files;
}

StageResult StageFiles(FileSystem& fs, const std::vector<StagedFile>& files, const StageOptions& options) {
  return Stager(fs, files, options).Run();
}

ShardEntry StagedEntry(const ShardEntry& shard) {
  ShardEntry entry = shard;
  entry.file = shard.sha256;
  return entry;
}

}  // namespace graticule
