// Small text helpers for messages: the nearest known name, a printable form of foreign text, counted nouns.
//
// Pure functions, thread-safe. Distances count bytes, which is exact for the ASCII names we compare.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

// Edit distance with adjacent transpositions (optimal string alignment).
size_t EditDistance(std::string_view a, std::string_view b);

// The known name closest to `name`, or "" when none is near enough to be a slip of the keyboard
// (distance above a third of the length, at least 1 and at most 5). Ties go to the first.
std::string Nearest(std::string_view name, const std::vector<std::string>& known);

// Foreign text for a message: control characters and invalid UTF-8 become \xHH, long text is cut.
std::string Printable(std::string_view text, size_t limit = 120);

bool IsUtf8(std::string_view text);
// Each byte as the character of its number, in UTF-8.
std::string FromLatin1(std::string_view text);

// "1 image", "0 images", "2 copies": plural is the noun with an s where none is given.
std::string Counted(int64_t count, std::string_view noun, std::string_view plural = "");

}  // namespace graticule
