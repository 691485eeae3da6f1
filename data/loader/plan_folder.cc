#include "data/loader/plan_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"

namespace graticule {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

std::span<const uint32_t> RecordsOf(const MappedFile& file) {
  return {reinterpret_cast<const uint32_t*>(file.bytes().data()), file.bytes().size() / sizeof(uint32_t)};
}

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
  auto plan = std::make_unique<Plan>(epoch, MappedFile(path));
  const std::span<const uint8_t> bytes = plan->file.bytes();
  if (std::ssize(bytes) != options_.positions * static_cast<int64_t>(sizeof(uint32_t))) {
    refuse(fmt::format("the plan has {} bytes; expected {} of {} positions", bytes.size(),
                       options_.positions * sizeof(uint32_t), options_.positions));
  }
  const std::string found = Sha256Hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (found != sha256) refuse(fmt::format("the plan's SHA-256 is {}; expected {}", found, sha256));
  const auto records = RecordsOf(plan->file);
  const auto largest = std::max_element(records.begin(), records.end());
  if (largest != records.end() && *largest >= options_.records)
    refuse(fmt::format("the plan names record {}; expected below {}", *largest, options_.records));
  const std::lock_guard lock(mutex_);
  latest_ = plans_.emplace(epoch, std::move(plan))->second.get();
}

std::span<const uint32_t> PlanFolder::At(int64_t epoch) const {
  const Plan* plan = latest_.load(std::memory_order_acquire);
  if (plan == nullptr || plan->epoch != epoch) {
    const std::lock_guard lock(mutex_);
    const auto after = plans_.upper_bound(epoch);
    GRATICULE_CHECK(after != plans_.begin() && std::prev(after)->first == epoch,
                    "the plan of an epoch that was not opened");
    plan = std::prev(after)->second.get();
    latest_ = plan;
  }
  return RecordsOf(plan->file);
}

}  // namespace graticule
