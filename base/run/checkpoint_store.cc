#include "base/run/checkpoint_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/run/as_checkpoint_error.h"
#include "base/text.h"

namespace graticule {
namespace {

using nlohmann::json;

constexpr int kManifestVersion = 1;
constexpr const char* kManifest = "MANIFEST.json";
constexpr const char* kScore = "score.json";
constexpr const char* kLitter = ".tmp";
constexpr double kFreeFactor = 2.2;

std::string ManifestText(const CheckpointInfo& info) {
  json files = json::object();
  for (const auto& [name, file] : info.files) files[name] = {{"bytes", file.bytes}, {"sha256", file.sha256}};
  const json manifest = {{"format", "graticule-checkpoint"},
                         {"version", kManifestVersion},
                         {"step", info.step},
                         {"world_size", info.world_size},
                         {"config_hash", info.config_hash},
                         {"extra", info.extra},
                         {"files", files}};
  // The last line lets a reader tell a damaged manifest from a changed one: nothing else hashes it.
  const std::string body = manifest.dump(1);
  return body + "\n" + Sha256Hex(body) + "\n";
}

[[noreturn]] void Damaged(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::kCheckpoint, what, path, "the checkpoint is damaged; an older one may be whole");
}

CheckpointInfo ReadManifest(const std::string& dir) {
  const std::string path = JoinPath(dir, kManifest);
  const std::string text = AsCheckpointError([&] { return ReadFileToString(path, 16 << 20); });
  constexpr size_t kTail = 1 + 64 + 1;
  if (text.size() < kTail) Damaged(path, fmt::format("found {} bytes, expected a manifest", text.size()));
  const std::string body = text.substr(0, text.size() - kTail);
  if (text.substr(body.size()) != "\n" + Sha256Hex(body) + "\n") {
    Damaged(path, "the manifest does not match its own SHA-256");
  }
  try {
    const json manifest = json::parse(body);
    if (manifest.at("format") != "graticule-checkpoint" || manifest.at("version") > kManifestVersion) {
      throw Error(ErrorCode::kCheckpoint,
                  fmt::format("found manifest version {}, this program reads up to {}",
                              manifest.at("version").dump(), kManifestVersion),
                  path, "use the program that wrote the run, or a newer one");
    }
    CheckpointInfo info{.step = manifest.at("step"),
                        .world_size = manifest.at("world_size"),
                        .config_hash = manifest.at("config_hash"),
                        .extra = manifest.at("extra"),
                        .dir = dir};
    for (const auto& [name, file] : manifest.at("files").items()) {
      info.files[name] = {file.at("bytes"), file.at("sha256")};
    }
    return info;
  } catch (const json::exception& error) {
    Damaged(path, fmt::format("not a manifest: {}", error.what()));
  }
}

bool IsPlainName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name != kManifest &&
         name != kScore;
}

}  // namespace

void CheckpointScan::ThrowIfOnlyDamaged() const {
  if (!only_damaged()) return;
  std::string text = fmt::format("none of {} checkpoints is whole", rejected.size());
  for (const RejectedCheckpoint& r : rejected) text += fmt::format("\n   {}: {}", r.dir, r.reason);
  throw Error(ErrorCode::kCheckpoint, text, DirName(rejected.front().dir),
              "restore one from a copy, or move the folder away to start at step 0");
}

void CheckpointWriter::Write(const std::string& name, std::string_view bytes) {
  GRATICULE_CHECK(IsPlainName(name) && !info_.files.contains(name), name);
  auto file = fs_.Create(JoinPath(info_.dir, name));
  file->Append(bytes);
  file->Sync();
  file->Close();
  info_.files[name] = {bytes.size(), Sha256Hex(bytes)};
}

void CheckpointWriter::Write(const std::string& name, const SafetensorsWriter& tensors) {
  GRATICULE_CHECK(IsPlainName(name) && !info_.files.contains(name), name);
  const std::string path = JoinPath(info_.dir, name);
  std::string digest = tensors.Write(fs_, path);
  info_.files[name] = {fs_.FileSize(path), std::move(digest)};
}

CheckpointStore::CheckpointStore(FileSystem& fs, std::string dir, Options options)
    : fs_(fs), dir_(std::move(dir)), options_(options) {
  GRATICULE_CHECK(options_.keep_last >= 2, "a store keeps at least two checkpoints");
}

std::string CheckpointStore::DirOf(int64_t step) const {
  return JoinPath(dir_, fmt::format("step_{:08}", step));
}

void CheckpointStore::CheckFreeSpace(uint64_t checkpoint_bytes) const {
  std::string existing = dir_;
  while (!fs_.Exists(existing) && existing != "." && existing != "/") existing = DirName(existing);
  const uint64_t free_bytes = AsCheckpointError([&] { return fs_.FreeBytes(existing); });
  const double needed = kFreeFactor * static_cast<double>(checkpoint_bytes);
  if (static_cast<double>(free_bytes) >= needed) return;
  throw Error(ErrorCode::kCheckpoint,
              fmt::format("found {:.1f} MB free, expected {:.1f} MB: {} times one checkpoint of {:.1f} MB",
                          static_cast<double>(free_bytes) / 1e6, needed / 1e6, kFreeFactor,
                          static_cast<double>(checkpoint_bytes) / 1e6),
              dir_, "free space there, or choose another run folder");
}

CheckpointInfo CheckpointStore::Publish(const CheckpointInfo& about, uint64_t expected_bytes,
                                        const std::function<void(CheckpointWriter&)>& write) {
  GRATICULE_CHECK(about.step >= 0 && about.files.empty());
  const std::string final_dir = DirOf(about.step);
  return AsCheckpointError([&] {
    if (fs_.Exists(final_dir)) {
      try {
        return VerifyCheckpoint(final_dir);
      } catch (const Error&) {  // damaged: written anew below
      }
    }
    RemoveLitter();
    if (!fs_.IsDirectory(dir_)) {
      fs_.MakeDirs(dir_);
      fs_.SyncDir(DirName(dir_));
    }
    if (expected_bytes > 0 && fs_.FreeBytes(dir_) < expected_bytes + expected_bytes / 10) {
      throw Error(
          ErrorCode::kCheckpoint,
          fmt::format("found {} bytes free, the checkpoint needs {}", fs_.FreeBytes(dir_), expected_bytes),
          dir_, "free space there");
    }
    CheckpointInfo info = about;
    info.dir = final_dir + kLitter;
    fs_.MakeDirs(info.dir);
    CheckpointWriter writer(fs_, info);
    write(writer);
    auto manifest = fs_.Create(info.PathOf(kManifest));
    manifest->Append(ManifestText(info));
    manifest->Sync();
    manifest->Close();
    fs_.SyncDir(info.dir);
    if (guard_) guard_();
    if (fs_.Exists(final_dir)) fs_.RemoveTree(final_dir);
    fs_.Rename(info.dir, final_dir);
    fs_.SyncDir(dir_);
    info.dir = final_dir;
    known_good_.insert(info.step);
    ApplyRetention();
    return info;
  });
}

std::vector<int64_t> CheckpointStore::Steps() const {
  std::vector<int64_t> steps;
  if (!fs_.IsDirectory(dir_)) return steps;
  for (const std::string& name : AsCheckpointError([&] { return fs_.List(dir_); })) {
    const auto step = ParseStepFolder(name);
    if (step && fs_.IsDirectory(JoinPath(dir_, name))) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

CheckpointScan CheckpointStore::FindNewestValid() const {
  CheckpointScan scan;
  std::vector<int64_t> steps = Steps();
  std::reverse(steps.begin(), steps.end());
  for (const int64_t step : steps) {
    try {
      CheckpointInfo info = VerifyCheckpoint(DirOf(step));
      if (info.step != step) Damaged(DirOf(step), fmt::format("the manifest is that of step {}", info.step));
      scan.newest = std::move(info);
      return scan;
    } catch (const Error& error) {
      const std::string where = BaseName(error.where());
      scan.rejected.push_back({step, DirOf(step), where + ": " + error.message()});
    }
  }
  return scan;
}

void CheckpointStore::RemoveLitter() {
  if (!fs_.IsDirectory(dir_)) return;
  AsCheckpointError([&] {
    for (const std::string& name : fs_.List(dir_)) {
      if (name.ends_with(kLitter) && ParseStepFolder(name.substr(0, name.size() - 4))) {
        if (guard_) guard_();
        fs_.RemoveTree(JoinPath(dir_, name));
      }
    }
  });
}

void CheckpointStore::RecordScore(int64_t step, const std::string& metric, double score) {
  const std::string dir = DirOf(step);
  if (!fs_.IsDirectory(dir) || !(score == score)) return;
  AsCheckpointError([&] {
    if (guard_) guard_();
    WriteFileAtomically(fs_, JoinPath(dir, kScore), json{{"metric", metric}, {"score", score}}.dump() + "\n");
  });
}

std::optional<int64_t> CheckpointStore::BestStep() const {
  std::optional<int64_t> best;
  double best_score = 0;
  std::string metric;
  for (const int64_t step : Steps()) {
    const std::string path = JoinPath(DirOf(step), kScore);
    if (!fs_.Exists(path)) continue;
    const json score = json::parse(ReadFileToString(path, 4096), nullptr, false);
    if (!score.is_object() || !score.contains("score") || !score["score"].is_number()) continue;
    const double value = score["score"];
    // Steps rise: another metric than before means that the run has changed its measure.
    const bool other_metric = score.value("metric", "") != metric;
    if (!best || other_metric || value > best_score) {
      best = step;
      best_score = value;
      metric = score.value("metric", "");
    }
  }
  return best;
}

bool CheckpointStore::IsGood(int64_t step) {
  if (known_good_.contains(step)) return true;
  try {
    VerifyCheckpoint(DirOf(step));
  } catch (const Error&) {
    return false;
  }
  known_good_.insert(step);
  return true;
}

void CheckpointStore::ApplyRetention() {
  std::vector<int64_t> steps = Steps();
  std::reverse(steps.begin(), steps.end());
  const std::optional<int64_t> best = BestStep();
  int valid = 0;
  for (const int64_t step : steps) {
    // A damaged folder must not count: two damaged ones would push out the last good one. Only as many as are
    // kept are verified, the rest goes unread.
    if (valid < options_.keep_last) {
      valid += IsGood(step);
      continue;
    }
    if (best == step) continue;
    AsCheckpointError([&] {
      if (guard_) guard_();
      // Out of sight first, so that a crash halfway leaves litter and not a damaged checkpoint.
      const std::string litter = DirOf(step) + kLitter;
      known_good_.erase(step);
      fs_.RemoveTree(litter);
      fs_.Rename(DirOf(step), litter);
      fs_.RemoveTree(litter);
    });
  }
}

CheckpointInfo VerifyCheckpoint(const std::string& step_dir) {
  CheckpointInfo info = ReadManifest(step_dir);
  for (const auto& [name, expected] : info.files) {
    if (!IsPlainName(name)) Damaged(step_dir, fmt::format("the manifest names \"{}\"", Printable(name)));
    const std::string path = info.PathOf(name);
    const uint64_t bytes = AsCheckpointError([&] { return PosixFs().FileSize(path); });
    if (bytes != expected.bytes)
      Damaged(path, fmt::format("found {} bytes, expected {}", bytes, expected.bytes));
    const std::string digest = AsCheckpointError([&] { return Sha256HexOfFile(path); });
    if (digest != expected.sha256) {
      Damaged(path, fmt::format("found SHA-256 {}, expected {}", digest.substr(0, 12),
                                expected.sha256.substr(0, 12)));
    }
  }
  return info;
}

std::optional<int64_t> ParseStepFolder(std::string_view name) {
  constexpr std::string_view prefix = "step_";
  if (!name.starts_with(prefix) || name.size() < prefix.size() + 8) return std::nullopt;
  const std::string_view digits = name.substr(prefix.size());
  if (digits.find_first_not_of("0123456789") != digits.npos || (digits.size() > 8 && digits[0] == '0')) {
    return std::nullopt;
  }
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc()) return std::nullopt;
  return step;
}

}  // namespace graticule
