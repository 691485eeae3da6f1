// One flat JSON object per line: rows of metrics and events, machine-readable log lines.
//
// Keys keep their order. Non-finite numbers are written as null, which a column of numbers stands; text that
// is not UTF-8 is escaped. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace graticule {

using JsonNumbers = std::map<std::string, double>;  // a nested object of numbers
using JsonScalar = std::variant<bool, int64_t, double, std::string, JsonNumbers>;
using JsonRow = std::vector<std::pair<std::string, JsonScalar>>;

std::string ToJson(const JsonRow& row);  // without a line end

// {"error": {"code", "message", "where", "hint"}}: what --json prints when a verb fails.
std::string ErrorJson(const Error& error);

}  // namespace graticule
