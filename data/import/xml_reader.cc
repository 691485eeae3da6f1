#include "data/import/xml_reader.h"

#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>

#include "base/error.h"

namespace graticule {
namespace {

constexpr int kMaxDepth = 100;
constexpr size_t kPiece = 1 << 20;

std::string_view LocalName(std::string_view name) { return name.substr(name.rfind(':') + 1); }

struct Walk {
  XML_Parser parser;
  XmlHandler& handler;
  int depth = 0;
  std::string refusal;
  std::exception_ptr thrown;

  void Refuse(const char* why) {
    refusal = why;
    XML_StopParser(parser, XML_FALSE);
  }
  // No exception may cross expat's C frames.
  template <typename Call>
  void Guard(Call call) {
    if (thrown || !refusal.empty()) return;
    try {
      call();
    } catch (...) {
      thrown = std::current_exception();
      XML_StopParser(parser, XML_FALSE);
    }
  }

  static Walk& Of(void* self) { return *static_cast<Walk*>(self); }
  static void OnStart(void* self, const XML_Char* name, const XML_Char** pairs) {
    Walk& walk = Of(self);
    if (++walk.depth > kMaxDepth) return walk.Refuse("elements are nested more than 100 deep");
    walk.Guard([&] {
      XmlHandler::Attributes attributes;
      for (; pairs[0] != nullptr; pairs += 2) attributes.emplace_back(LocalName(pairs[0]), pairs[1]);
      walk.handler.Start(LocalName(name), attributes);
    });
  }
  static void OnEnd(void* self, const XML_Char* name) {
    --Of(self).depth;
    Of(self).Guard([&] { Of(self).handler.End(LocalName(name)); });
  }
  static void OnText(void* self, const XML_Char* text, int bytes) {
    Of(self).Guard([&] { Of(self).handler.Text({text, static_cast<size_t>(bytes)}); });
  }
  static void OnDoctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    Of(self).Refuse("it declares a document type");
  }
};

}  // namespace

std::string_view Attribute(const XmlHandler::Attributes& attributes, std::string_view name) {
  for (const auto& [key, value] : attributes) {
    if (key == name) return value;
  }
  return {};
}

void ParseXml(std::string_view bytes, const std::string& where, XmlHandler& handler) {
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate(nullptr),
                                                                            XML_ParserFree);
  GRATICULE_CHECK(parser != nullptr);
  Walk walk{parser.get(), handler};
  XML_SetUserData(parser.get(), &walk);
  XML_SetElementHandler(parser.get(), Walk::OnStart, Walk::OnEnd);
  XML_SetCharacterDataHandler(parser.get(), Walk::OnText);
  XML_SetStartDoctypeDeclHandler(parser.get(), Walk::OnDoctype);
  size_t at = 0;
  do {
    const size_t piece = std::min(kPiece, bytes.size() - at);
    const bool last = at + piece == bytes.size();
    const XML_Status status = XML_Parse(parser.get(), bytes.data() + at, static_cast<int>(piece), last);
    if (walk.thrown) std::rethrow_exception(walk.thrown);
    if (status != XML_STATUS_OK) {
      throw Error(ErrorCode::kData,
                  fmt::format("not readable as XML in line {}: {}", XML_GetCurrentLineNumber(parser.get()),
                              walk.refusal.empty() ? XML_ErrorString(XML_GetErrorCode(parser.get()))
                                                   : walk.refusal.c_str()),
                  where);
    }
    at += piece;
  } while (at < bytes.size());
}

}  // namespace graticule
