#include "trainer/checkpoint/checkpoint_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"

namespace graticule {
namespace {

constexpr char kManifest[] = "MANIFEST.json";

std::string NameOf(int64_t step) { return fmt::format("step_{:08}", step); }

// The step of "step_00000012"; -1 for any other name.
int64_t StepOf(const std::string& name) {
  constexpr std::string_view kPrefix = "step_";
  if (!name.starts_with(kPrefix) || name.size() < kPrefix.size() + 8) return -1;
  const std::string digits = name.substr(kPrefix.size());
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return -1;
  return digits.size() > 15 ? -1 : std::stoll(digits);
}

}  // namespace

std::string BeginCheckpointFolder(FileSystem& fs, const std::string& ckpt_dir, int64_t step) {
  const std::string path = JoinPath(ckpt_dir, NameOf(step) + ".tmp");
  fs.RemoveTree(path);
  fs.MakeDirs(path);
  return path;
}

std::string PublishCheckpointFolder(FileSystem& fs, const std::string& ckpt_dir, int64_t step) {
  const std::string from = JoinPath(ckpt_dir, NameOf(step) + ".tmp"), to = JoinPath(ckpt_dir, NameOf(step));
  nlohmann::ordered_json files = nlohmann::ordered_json::object();
  for (const std::string& name : fs.List(from)) {
    const std::string path = JoinPath(from, name);
    files[name] = {{"bytes", fs.FileSize(path)}, {"sha256", Sha256HexOfFile(path)}};
  }
  const nlohmann::ordered_json manifest = {{"format_version", 1}, {"step", step}, {"files", files}};
  WriteFileAtomically(fs, JoinPath(from, kManifest), manifest.dump(2) + "\n");
  // A damaged folder of the same step is in the way when a run is resumed from before it.
  if (fs.Exists(to)) fs.RemoveTree(to);
  fs.Rename(from, to);
  fs.SyncDir(ckpt_dir);
  return to;
}

std::vector<CheckpointFolder> ListCheckpoints(FileSystem& fs, const std::string& ckpt_dir) {
  std::vector<CheckpointFolder> found;
  if (!fs.IsDirectory(ckpt_dir)) return found;
  for (const std::string& name : fs.List(ckpt_dir)) {
    const int64_t step = StepOf(name);
    if (step >= 0) found.push_back({step, JoinPath(ckpt_dir, name)});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step > b.step; });
  return found;
}

void RetainCheckpoints(FileSystem& fs, const std::string& ckpt_dir, int64_t keep, int64_t best_step) {
  int64_t kept = 0;
  for (const CheckpointFolder& folder : ListCheckpoints(fs, ckpt_dir)) {
    if (kept < keep) {
      ++kept;
    } else if (folder.step != best_step) {
      fs.RemoveTree(folder.path);
    }
  }
}

std::string VerifyCheckpoint(FileSystem& fs, const std::string& path) {
  try {
    const auto manifest = nlohmann::json::parse(ReadFileToString(JoinPath(path, kManifest)));
    for (const auto& [name, entry] : manifest.at("files").items()) {
      const std::string file = JoinPath(path, name);
      if (!fs.Exists(file)) return fmt::format("{} is missing", name);
      if (fs.FileSize(file) != entry.at("bytes").get<uint64_t>())
        return fmt::format("{} has the wrong size", name);
      if (Sha256HexOfFile(file) != entry.at("sha256").get<std::string>()) {
        return fmt::format("{} has changed since it was written", name);
      }
    }
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::optional<CheckpointFolder> NewestValidCheckpoint(FileSystem& fs, const std::string& ckpt_dir,
                                                      std::vector<std::string>* problems) {
  for (const CheckpointFolder& folder : ListCheckpoints(fs, ckpt_dir)) {
    const std::string problem = VerifyCheckpoint(fs, folder.path);
    if (problem.empty()) return folder;
    problems->push_back(fmt::format("{}: {}", folder.path, problem));
  }
  return std::nullopt;
}

}  // namespace graticule
