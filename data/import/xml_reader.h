// Events of an XML document (expat). Names come without their namespace prefix, text as UTF-8.
//
// For files of others: a document type declaration is refused before an entity is read, nesting ends at 100,
// and nothing outside the bytes given is ever opened. One thread. Malformed text throws Error(kData) with
// `where` and the line; what a handler throws passes through.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graticule {

class XmlHandler {
 public:
  using Attributes = std::vector<std::pair<std::string_view, std::string_view>>;  // name, value
  virtual ~XmlHandler() = default;
  virtual void Start(std::string_view name, const Attributes& attributes) = 0;
  virtual void End(std::string_view name) = 0;
  virtual void Text(std::string_view piece) = 0;  // a text may come in pieces
};

// The value of an attribute, or "".
std::string_view Attribute(const XmlHandler::Attributes& attributes, std::string_view name);

void ParseXml(std::string_view bytes, const std::string& where, XmlHandler& handler);

}  // namespace graticule
