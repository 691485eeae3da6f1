#include "data/loader/plan_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace graticule {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr size_t kKept = 2;

}  // namespace

std::string PlanFolder::PathOf(int64_t epoch) const {
  return JoinPath(options_.dir, fmt::format("epoch_{:04}.u32", epoch));
}

std::string PlanFolder::Write(FileSystem& fs, int64_t epoch, std::span<const uint32_t> records) const {
  GRATICULE_CHECK(epoch >= 0 && std::ssize(records) == options_.positions);
  std::vector<bool> used(static_cast<size_t>(options_.records));
  for (const uint32_t record : records) {
    GRATICULE_CHECK(record < options_.records && !used[record],
                    "a plan with a record that is none, or twice");
    used[record] = true;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(records.data()), records.size_bytes());
  fs.MakeDirs(options_.dir);
  WriteFileAtomically(fs, PathOf(epoch), bytes);
  return Sha256Hex(bytes);
}

void PlanFolder::Open(int64_t epoch, const std::string& sha256) {
  const std::string path = PathOf(epoch);
  const auto refuse = [&](std::string what) {
    throw Error(ErrorCode::kData, std::move(what), path, "Remove the file: the run makes it again.");
  };
  const auto file = PosixFs().Open(path);
  if (file->size() != static_cast<uint64_t>(options_.positions) * sizeof(uint32_t)) {
    refuse(fmt::format("the plan has {} bytes; expected {} of {} positions", file->size(),
                       options_.positions * sizeof(uint32_t), options_.positions));
  }
  std::vector<uint32_t> records(static_cast<size_t>(options_.positions));
  file->ReadAt(0, records.data(), file->size());
  const std::string found = Sha256Hex({reinterpret_cast<const char*>(records.data()), file->size()});
  if (found != sha256) refuse(fmt::format("the plan's SHA-256 is {}; expected {}", found, sha256));
  const auto largest = std::max_element(records.begin(), records.end());
  if (largest != records.end() && *largest >= options_.records)
    refuse(fmt::format("the plan names record {}; expected below {}", *largest, options_.records));
  const std::lock_guard lock(mutex_);
  plans_.push_front({epoch, std::make_shared<const std::vector<uint32_t>>(std::move(records))});
  if (plans_.size() > kKept) plans_.pop_back();
}

std::shared_ptr<const std::vector<uint32_t>> PlanFolder::At(int64_t epoch) const {
  const std::lock_guard lock(mutex_);
  const auto plan =
      std::find_if(plans_.begin(), plans_.end(), [&](const Plan& p) { return p.epoch == epoch; });
  GRATICULE_CHECK(plan != plans_.end(), "the plan of an epoch that was not opened");
  return plan->records;
}

}  // namespace graticule
