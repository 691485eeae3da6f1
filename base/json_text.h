// JSON as the text that people and other programs read.
//
// Paths and names come from disks and tables, and need not be UTF-8, which JSON is: what is not becomes
// U+FFFD. Pure, thread-safe.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace graticule {

// indent: of each level, in blanks; -1: all in one line. Without a line end.
template <typename Json>
std::string JsonText(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace graticule
