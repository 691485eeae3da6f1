#include "models/weight_problems.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace graticule {
namespace {

void AddList(std::string& text, const char* title, const std::vector<std::string>& items) {
  constexpr size_t kShown = 40;
  if (items.empty()) return;
  text += fmt::format(
      "{}{} {}: {}", text.empty() ? "" : "; ", items.size(), title,
      fmt::join(items.begin(), items.begin() + static_cast<int64_t>(std::min(items.size(), kShown)), ", "));
  if (items.size() > kShown) text += ", ...";
}

}  // namespace

bool IsFloat(SafeDType dtype) {
  return dtype == SafeDType::kF32 || dtype == SafeDType::kF16 || dtype == SafeDType::kBF16 ||
         dtype == SafeDType::kF64;
}

void WeightProblems::ThrowIfAny(const std::string& target, const std::string& file,
                                const std::string& hint) const {
  std::string problems;
  AddList(problems, "missing", missing);
  AddList(problems, "of another shape or type", mismatched);
  AddList(problems, "unexpected", unexpected);
  if (problems.empty()) return;
  throw Error(ErrorCode::kData, fmt::format("these weights do not fit {}: {}", target, problems), file, hint);
}

}  // namespace graticule
