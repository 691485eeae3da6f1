#include "data/country.h"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace graticule {
namespace {

struct Country {
  char alpha2[3];
  uint16_t numeric;
  uint8_t drives_left;
};

// Sorted by alpha-2.
constexpr Country kCountries[] = {
    {"AD", 20, 0},  {"AE", 784, 0}, {"AF", 4, 0},   {"AG", 28, 1},  {"AI", 660, 1}, {"AL", 8, 0},
    {"AM", 51, 0},  {"AO", 24, 0},  {"AQ", 10, 0},  {"AR", 32, 0},  {"AS", 16, 0},  {"AT", 40, 0},
    {"AU", 36, 1},  {"AW", 533, 0}, {"AX", 248, 0}, {"AZ", 31, 0},  {"BA", 70, 0},  {"BB", 52, 1},
    {"BD", 50, 1},  {"BE", 56, 0},  {"BF", 854, 0}, {"BG", 100, 0}, {"BH", 48, 0},  {"BI", 108, 0},
    {"BJ", 204, 0}, {"BL", 652, 0}, {"BM", 60, 1},  {"BN", 96, 1},  {"BO", 68, 0},  {"BQ", 535, 0},
    {"BR", 76, 0},  {"BS", 44, 1},  {"BT", 64, 1},  {"BV", 74, 0},  {"BW", 72, 1},  {"BY", 112, 0},
    {"BZ", 84, 0},  {"CA", 124, 0}, {"CC", 166, 1}, {"CD", 180, 0}, {"CF", 140, 0}, {"CG", 178, 0},
    {"CH", 756, 0}, {"CI", 384, 0}, {"CK", 184, 1}, {"CL", 152, 0}, {"CM", 120, 0}, {"CN", 156, 0},
    {"CO", 170, 0}, {"CR", 188, 0}, {"CU", 192, 0}, {"CV", 132, 0}, {"CW", 531, 0}, {"CX", 162, 1},
    {"CY", 196, 1}, {"CZ", 203, 0}, {"DE", 276, 0}, {"DJ", 262, 0}, {"DK", 208, 0}, {"DM", 212, 1},
    {"DO", 214, 0}, {"DZ", 12, 0},  {"EC", 218, 0}, {"EE", 233, 0}, {"EG", 818, 0}, {"EH", 732, 0},
    {"ER", 232, 0}, {"ES", 724, 0}, {"ET", 231, 0}, {"FI", 246, 0}, {"FJ", 242, 1}, {"FK", 238, 1},
    {"FM", 583, 0}, {"FO", 234, 0}, {"FR", 250, 0}, {"GA", 266, 0}, {"GB", 826, 1}, {"GD", 308, 1},
    {"GE", 268, 0}, {"GF", 254, 0}, {"GG", 831, 1}, {"GH", 288, 0}, {"GI", 292, 0}, {"GL", 304, 0},
    {"GM", 270, 0}, {"GN", 324, 0}, {"GP", 312, 0}, {"GQ", 226, 0}, {"GR", 300, 0}, {"GS", 239, 1},
    {"GT", 320, 0}, {"GU", 316, 0}, {"GW", 624, 0}, {"GY", 328, 1}, {"HK", 344, 1}, {"HM", 334, 1},
    {"HN", 340, 0}, {"HR", 191, 0}, {"HT", 332, 0}, {"HU", 348, 0}, {"ID", 360, 1}, {"IE", 372, 1},
    {"IL", 376, 0}, {"IM", 833, 1}, {"IN", 356, 1}, {"IO", 86, 0},  {"IQ", 368, 0}, {"IR", 364, 0},
    {"IS", 352, 0}, {"IT", 380, 0}, {"JE", 832, 1}, {"JM", 388, 1}, {"JO", 400, 0}, {"JP", 392, 1},
    {"KE", 404, 1}, {"KG", 417, 0}, {"KH", 116, 0}, {"KI", 296, 1}, {"KM", 174, 0}, {"KN", 659, 1},
    {"KP", 408, 0}, {"KR", 410, 0}, {"KW", 414, 0}, {"KY", 136, 1}, {"KZ", 398, 0}, {"LA", 418, 0},
    {"LB", 422, 0}, {"LC", 662, 1}, {"LI", 438, 0}, {"LK", 144, 1}, {"LR", 430, 0}, {"LS", 426, 1},
    {"LT", 440, 0}, {"LU", 442, 0}, {"LV", 428, 0}, {"LY", 434, 0}, {"MA", 504, 0}, {"MC", 492, 0},
    {"MD", 498, 0}, {"ME", 499, 0}, {"MF", 663, 0}, {"MG", 450, 0}, {"MH", 584, 0}, {"MK", 807, 0},
    {"ML", 466, 0}, {"MM", 104, 0}, {"MN", 496, 0}, {"MO", 446, 1}, {"MP", 580, 0}, {"MQ", 474, 0},
    {"MR", 478, 0}, {"MS", 500, 1}, {"MT", 470, 1}, {"MU", 480, 1}, {"MV", 462, 1}, {"MW", 454, 1},
    {"MX", 484, 0}, {"MY", 458, 1}, {"MZ", 508, 1}, {"NA", 516, 1}, {"NC", 540, 0}, {"NE", 562, 0},
    {"NF", 574, 1}, {"NG", 566, 0}, {"NI", 558, 0}, {"NL", 528, 0}, {"NO", 578, 0}, {"NP", 524, 1},
    {"NR", 520, 1}, {"NU", 570, 1}, {"NZ", 554, 1}, {"OM", 512, 0}, {"PA", 591, 0}, {"PE", 604, 0},
    {"PF", 258, 0}, {"PG", 598, 1}, {"PH", 608, 0}, {"PK", 586, 1}, {"PL", 616, 0}, {"PM", 666, 0},
    {"PN", 612, 1}, {"PR", 630, 0}, {"PS", 275, 0}, {"PT", 620, 0}, {"PW", 585, 0}, {"PY", 600, 0},
    {"QA", 634, 0}, {"RE", 638, 0}, {"RO", 642, 0}, {"RS", 688, 0}, {"RU", 643, 0}, {"RW", 646, 0},
    {"SA", 682, 0}, {"SB", 90, 1},  {"SC", 690, 1}, {"SD", 729, 0}, {"SE", 752, 0}, {"SG", 702, 1},
    {"SH", 654, 1}, {"SI", 705, 0}, {"SJ", 744, 0}, {"SK", 703, 0}, {"SL", 694, 0}, {"SM", 674, 0},
    {"SN", 686, 0}, {"SO", 706, 0}, {"SR", 740, 1}, {"SS", 728, 0}, {"ST", 678, 0}, {"SV", 222, 0},
    {"SX", 534, 0}, {"SY", 760, 0}, {"SZ", 748, 1}, {"TC", 796, 1}, {"TD", 148, 0}, {"TF", 260, 0},
    {"TG", 768, 0}, {"TH", 764, 1}, {"TJ", 762, 0}, {"TK", 772, 1}, {"TL", 626, 1}, {"TM", 795, 0},
    {"TN", 788, 0}, {"TO", 776, 1}, {"TR", 792, 0}, {"TT", 780, 1}, {"TV", 798, 1}, {"TW", 158, 0},
    {"TZ", 834, 1}, {"UA", 804, 0}, {"UG", 800, 1}, {"UM", 581, 0}, {"US", 840, 0}, {"UY", 858, 0},
    {"UZ", 860, 0}, {"VA", 336, 0}, {"VC", 670, 1}, {"VE", 862, 0}, {"VG", 92, 1},  {"VI", 850, 1},
    {"VN", 704, 0}, {"VU", 548, 0}, {"WF", 876, 0}, {"WS", 882, 1}, {"XK", 983, 0}, {"YE", 887, 0},
    {"YT", 175, 0}, {"ZA", 710, 1}, {"ZM", 894, 1}, {"ZW", 716, 1},
};

const Country* FindByCode(std::string_view alpha2) {
  if (alpha2.size() != 2) return nullptr;
  const char code[2] = {static_cast<char>(std::toupper(static_cast<unsigned char>(alpha2[0]))),
                        static_cast<char>(std::toupper(static_cast<unsigned char>(alpha2[1])))};
  const std::string_view upper(code, 2);
  const auto found = std::lower_bound(std::begin(kCountries), std::end(kCountries), upper,
                                      [](const Country& c, std::string_view key) { return c.alpha2 < key; });
  return found != std::end(kCountries) && found->alpha2 == upper ? found : nullptr;
}

}  // namespace

uint16_t NumericCountry(std::string_view alpha2) {
  // A repair script in circulation rewrote Namibia's "NA" to "NMB", to keep it from being read as "missing".
  if (alpha2 == "NMB") alpha2 = "NA";
  const Country* country = FindByCode(alpha2);
  return country == nullptr ? 0 : country->numeric;
}

std::string Alpha2Of(uint16_t numeric) {
  if (numeric == 0) return "";
  const auto found = std::find_if(std::begin(kCountries), std::end(kCountries),
                                  [&](const Country& c) { return c.numeric == numeric; });
  return found == std::end(kCountries) ? "" : found->alpha2;
}

std::optional<bool> DrivesOnTheLeft(std::string_view alpha2) {
  const Country* country = FindByCode(alpha2);
  if (country == nullptr) return std::nullopt;
  return country->drives_left != 0;
}

}  // namespace graticule
