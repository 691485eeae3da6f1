#include "base/error.h"

#include <fmt/format.h>

namespace graticule {

Error::Error(ErrorCode code, std::string what, std::string where, std::string hint)
    : code_(code), message_(std::move(what)), where_(std::move(where)), hint_(std::move(hint)) {
  full_ = where_.empty() ? message_ : where_ + ": " + message_;
  if (!hint_.empty()) full_ += "\n   " + hint_;
}

void FailCheck(const char* expression, const char* file, int line, std::string_view detail) {
  throw Error(ErrorCode::kBug,
              fmt::format("check failed: {}{}{}", expression, detail.empty() ? "" : ": ", detail),
              fmt::format("{}:{}", file, line), "This is a bug in graticule; please report it.");
}

}  // namespace graticule
