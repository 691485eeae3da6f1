// A JSON object whose members are demanded by name and type, so that an error can say which one is wrong.
//
// Every failure is Error(kData) with the member's path, the file and the hint. Keeps references to all it is
// given. Not for configurations (base/config/): for files that programs write.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace graticule {

class JsonObject {
 public:
  // path: of the object itself, "shards[3]." or "". where: the file.
  JsonObject(const nlohmann::json& value, std::string path, const std::string& where, const char* hint);

  bool Has(const char* key) const { return value_.contains(key); }
  const nlohmann::json& At(const char* key) const;
  std::string String(const char* key) const;
  uint64_t Unsigned(const char* key) const;  // <= 2^62
  double Number(const char* key) const;
  bool Bool(const char* key) const;
  const nlohmann::json& List(const char* key) const;
  std::string Sha256(const char* key) const;         // 64 digits of lower-case hex
  std::string PlainFileName(const char* key) const;  // no folders, not hidden
  JsonObject Child(const char* key) const;
  JsonObject Item(const char* key, size_t i) const;  // an object in a list
  [[noreturn]] void Fail(const char* key, const std::string& problem) const;
  const nlohmann::json& value() const { return value_; }

 private:
  const nlohmann::json& value_;
  std::string path_;
  const std::string& where_;
  const char* hint_;
};

// Parses text into a value. Throws Error(kData) with the place of the mistake.
nlohmann::json ParseJson(std::string_view text, const std::string& where, const char* hint);

}  // namespace graticule
