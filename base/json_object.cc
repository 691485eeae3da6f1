#include "base/json_object.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace graticule {

JsonObject::JsonObject(const nlohmann::json& value, std::string path, const std::string& where,
                       const char* hint)
    : value_(value), path_(std::move(path)), where_(where), hint_(hint) {
  if (!value.is_object()) Fail("", "is not an object");
}

const nlohmann::json& JsonObject::At(const char* key) const {
  const auto found = value_.find(key);
  if (found == value_.end()) Fail(key, "is missing");
  return *found;
}

std::string JsonObject::String(const char* key) const {
  if (!At(key).is_string()) Fail(key, "is not a string");
  return At(key).get<std::string>();
}

uint64_t JsonObject::Unsigned(const char* key) const {
  if (!At(key).is_number_unsigned()) Fail(key, "is not a non-negative integer");
  const uint64_t number = At(key).get<uint64_t>();
  if (number > uint64_t{1} << 62) Fail(key, "is too large");
  return number;
}

double JsonObject::Number(const char* key) const {
  if (!At(key).is_number()) Fail(key, "is not a number");
  return At(key).get<double>();
}

bool JsonObject::Bool(const char* key) const {
  if (!At(key).is_boolean()) Fail(key, "is not true or false");
  return At(key).get<bool>();
}

const nlohmann::json& JsonObject::List(const char* key) const {
  if (!At(key).is_array()) Fail(key, "is not a list");
  return At(key);
}

std::string JsonObject::Sha256(const char* key) const {
  const std::string hash = String(key);
  const bool hex = std::all_of(hash.begin(), hash.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (hash.size() != 64 || !hex) Fail(key, "is not a SHA-256 in lower-case hex");
  return hash;
}

std::string JsonObject::PlainFileName(const char* key) const {
  const std::string name = String(key);
  if (name.empty() || name[0] == '.' ||
      name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
    Fail(key, "is not the name of a file inside the folder");
  }
  return name;
}

JsonObject JsonObject::Child(const char* key) const {
  return JsonObject(At(key), path_ + key + ".", where_, hint_);
}

JsonObject JsonObject::Item(const char* key, size_t i) const {
  return JsonObject(List(key).at(i), fmt::format("{}{}[{}].", path_, key, i), where_, hint_);
}

void JsonObject::Fail(const char* key, const std::string& problem) const {
  throw Error(ErrorCode::kData, fmt::format("\"{}{}\" {}", path_, key, problem), where_, hint_);
}

nlohmann::json ParseJson(std::string_view text, const std::string& where, const char* hint) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& problem) {
    throw Error(ErrorCode::kData, fmt::format("not valid JSON: {}", problem.what()), where, hint);
  }
}

}  // namespace graticule
