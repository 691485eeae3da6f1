#include "base/json_row.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace graticule {
namespace {

std::string Valid(const std::string& text) { return IsUtf8(text) ? text : Printable(text, text.size() * 4); }

nlohmann::ordered_json Convert(const JsonScalar& value) {
  if (const auto* number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number))
    return nullptr;
  if (const auto* text = std::get_if<std::string>(&value)) return Valid(*text);
  if (const auto* numbers = std::get_if<JsonNumbers>(&value)) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (const auto& [key, number] : *numbers) object[Valid(key)] = Convert(number);
    return object;
  }
  return std::visit([](const auto& v) { return nlohmann::ordered_json(v); }, value);
}

}  // namespace

std::string ToJson(const JsonRow& row) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [key, value] : row) object[Valid(key)] = Convert(value);
  return object.dump();
}

std::string ErrorJson(const Error& error) {
  const nlohmann::ordered_json object = {{"error",
                                          {{"code", error.exit_code()},
                                           {"message", Valid(error.message())},
                                           {"where", Valid(error.where())},
                                           {"hint", Valid(error.hint())}}}};
  return object.dump();
}

}  // namespace graticule
