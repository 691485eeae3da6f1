#include "data/country.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>

namespace graticule {
namespace {

struct Country {
  char alpha2[3], alpha3[4];
  uint16_t numeric;
  uint8_t drives_left;
};

// Sorted by alpha-2.
constexpr Country kCountries[] = {
    {"AD", "AND", 20, 0},  {"AE", "ARE", 784, 0}, {"AF", "AFG", 4, 0},   {"AG", "ATG", 28, 1},
    {"AI", "AIA", 660, 1}, {"AL", "ALB", 8, 0},   {"AM", "ARM", 51, 0},  {"AO", "AGO", 24, 0},
    {"AQ", "ATA", 10, 0},  {"AR", "ARG", 32, 0},  {"AS", "ASM", 16, 0},  {"AT", "AUT", 40, 0},
    {"AU", "AUS", 36, 1},  {"AW", "ABW", 533, 0}, {"AX", "ALA", 248, 0}, {"AZ", "AZE", 31, 0},
    {"BA", "BIH", 70, 0},  {"BB", "BRB", 52, 1},  {"BD", "BGD", 50, 1},  {"BE", "BEL", 56, 0},
    {"BF", "BFA", 854, 0}, {"BG", "BGR", 100, 0}, {"BH", "BHR", 48, 0},  {"BI", "BDI", 108, 0},
    {"BJ", "BEN", 204, 0}, {"BL", "BLM", 652, 0}, {"BM", "BMU", 60, 1},  {"BN", "BRN", 96, 1},
    {"BO", "BOL", 68, 0},  {"BQ", "BES", 535, 0}, {"BR", "BRA", 76, 0},  {"BS", "BHS", 44, 1},
    {"BT", "BTN", 64, 1},  {"BV", "BVT", 74, 0},  {"BW", "BWA", 72, 1},  {"BY", "BLR", 112, 0},
    {"BZ", "BLZ", 84, 0},  {"CA", "CAN", 124, 0}, {"CC", "CCK", 166, 1}, {"CD", "COD", 180, 0},
    {"CF", "CAF", 140, 0}, {"CG", "COG", 178, 0}, {"CH", "CHE", 756, 0}, {"CI", "CIV", 384, 0},
    {"CK", "COK", 184, 1}, {"CL", "CHL", 152, 0}, {"CM", "CMR", 120, 0}, {"CN", "CHN", 156, 0},
    {"CO", "COL", 170, 0}, {"CR", "CRI", 188, 0}, {"CU", "CUB", 192, 0}, {"CV", "CPV", 132, 0},
    {"CW", "CUW", 531, 0}, {"CX", "CXR", 162, 1}, {"CY", "CYP", 196, 1}, {"CZ", "CZE", 203, 0},
    {"DE", "DEU", 276, 0}, {"DJ", "DJI", 262, 0}, {"DK", "DNK", 208, 0}, {"DM", "DMA", 212, 1},
    {"DO", "DOM", 214, 0}, {"DZ", "DZA", 12, 0},  {"EC", "ECU", 218, 0}, {"EE", "EST", 233, 0},
    {"EG", "EGY", 818, 0}, {"EH", "ESH", 732, 0}, {"ER", "ERI", 232, 0}, {"ES", "ESP", 724, 0},
    {"ET", "ETH", 231, 0}, {"FI", "FIN", 246, 0}, {"FJ", "FJI", 242, 1}, {"FK", "FLK", 238, 1},
    {"FM", "FSM", 583, 0}, {"FO", "FRO", 234, 0}, {"FR", "FRA", 250, 0}, {"GA", "GAB", 266, 0},
    {"GB", "GBR", 826, 1}, {"GD", "GRD", 308, 1}, {"GE", "GEO", 268, 0}, {"GF", "GUF", 254, 0},
    {"GG", "GGY", 831, 1}, {"GH", "GHA", 288, 0}, {"GI", "GIB", 292, 0}, {"GL", "GRL", 304, 0},
    {"GM", "GMB", 270, 0}, {"GN", "GIN", 324, 0}, {"GP", "GLP", 312, 0}, {"GQ", "GNQ", 226, 0},
    {"GR", "GRC", 300, 0}, {"GS", "SGS", 239, 1}, {"GT", "GTM", 320, 0}, {"GU", "GUM", 316, 0},
    {"GW", "GNB", 624, 0}, {"GY", "GUY", 328, 1}, {"HK", "HKG", 344, 1}, {"HM", "HMD", 334, 1},
    {"HN", "HND", 340, 0}, {"HR", "HRV", 191, 0}, {"HT", "HTI", 332, 0}, {"HU", "HUN", 348, 0},
    {"ID", "IDN", 360, 1}, {"IE", "IRL", 372, 1}, {"IL", "ISR", 376, 0}, {"IM", "IMN", 833, 1},
    {"IN", "IND", 356, 1}, {"IO", "IOT", 86, 0},  {"IQ", "IRQ", 368, 0}, {"IR", "IRN", 364, 0},
    {"IS", "ISL", 352, 0}, {"IT", "ITA", 380, 0}, {"JE", "JEY", 832, 1}, {"JM", "JAM", 388, 1},
    {"JO", "JOR", 400, 0}, {"JP", "JPN", 392, 1}, {"KE", "KEN", 404, 1}, {"KG", "KGZ", 417, 0},
    {"KH", "KHM", 116, 0}, {"KI", "KIR", 296, 1}, {"KM", "COM", 174, 0}, {"KN", "KNA", 659, 1},
    {"KP", "PRK", 408, 0}, {"KR", "KOR", 410, 0}, {"KW", "KWT", 414, 0}, {"KY", "CYM", 136, 1},
    {"KZ", "KAZ", 398, 0}, {"LA", "LAO", 418, 0}, {"LB", "LBN", 422, 0}, {"LC", "LCA", 662, 1},
    {"LI", "LIE", 438, 0}, {"LK", "LKA", 144, 1}, {"LR", "LBR", 430, 0}, {"LS", "LSO", 426, 1},
    {"LT", "LTU", 440, 0}, {"LU", "LUX", 442, 0}, {"LV", "LVA", 428, 0}, {"LY", "LBY", 434, 0},
    {"MA", "MAR", 504, 0}, {"MC", "MCO", 492, 0}, {"MD", "MDA", 498, 0}, {"ME", "MNE", 499, 0},
    {"MF", "MAF", 663, 0}, {"MG", "MDG", 450, 0}, {"MH", "MHL", 584, 0}, {"MK", "MKD", 807, 0},
    {"ML", "MLI", 466, 0}, {"MM", "MMR", 104, 0}, {"MN", "MNG", 496, 0}, {"MO", "MAC", 446, 1},
    {"MP", "MNP", 580, 0}, {"MQ", "MTQ", 474, 0}, {"MR", "MRT", 478, 0}, {"MS", "MSR", 500, 1},
    {"MT", "MLT", 470, 1}, {"MU", "MUS", 480, 1}, {"MV", "MDV", 462, 1}, {"MW", "MWI", 454, 1},
    {"MX", "MEX", 484, 0}, {"MY", "MYS", 458, 1}, {"MZ", "MOZ", 508, 1}, {"NA", "NAM", 516, 1},
    {"NC", "NCL", 540, 0}, {"NE", "NER", 562, 0}, {"NF", "NFK", 574, 1}, {"NG", "NGA", 566, 0},
    {"NI", "NIC", 558, 0}, {"NL", "NLD", 528, 0}, {"NO", "NOR", 578, 0}, {"NP", "NPL", 524, 1},
    {"NR", "NRU", 520, 1}, {"NU", "NIU", 570, 1}, {"NZ", "NZL", 554, 1}, {"OM", "OMN", 512, 0},
    {"PA", "PAN", 591, 0}, {"PE", "PER", 604, 0}, {"PF", "PYF", 258, 0}, {"PG", "PNG", 598, 1},
    {"PH", "PHL", 608, 0}, {"PK", "PAK", 586, 1}, {"PL", "POL", 616, 0}, {"PM", "SPM", 666, 0},
    {"PN", "PCN", 612, 1}, {"PR", "PRI", 630, 0}, {"PS", "PSE", 275, 0}, {"PT", "PRT", 620, 0},
    {"PW", "PLW", 585, 0}, {"PY", "PRY", 600, 0}, {"QA", "QAT", 634, 0}, {"RE", "REU", 638, 0},
    {"RO", "ROU", 642, 0}, {"RS", "SRB", 688, 0}, {"RU", "RUS", 643, 0}, {"RW", "RWA", 646, 0},
    {"SA", "SAU", 682, 0}, {"SB", "SLB", 90, 1},  {"SC", "SYC", 690, 1}, {"SD", "SDN", 729, 0},
    {"SE", "SWE", 752, 0}, {"SG", "SGP", 702, 1}, {"SH", "SHN", 654, 1}, {"SI", "SVN", 705, 0},
    {"SJ", "SJM", 744, 0}, {"SK", "SVK", 703, 0}, {"SL", "SLE", 694, 0}, {"SM", "SMR", 674, 0},
    {"SN", "SEN", 686, 0}, {"SO", "SOM", 706, 0}, {"SR", "SUR", 740, 1}, {"SS", "SSD", 728, 0},
    {"ST", "STP", 678, 0}, {"SV", "SLV", 222, 0}, {"SX", "SXM", 534, 0}, {"SY", "SYR", 760, 0},
    {"SZ", "SWZ", 748, 1}, {"TC", "TCA", 796, 1}, {"TD", "TCD", 148, 0}, {"TF", "ATF", 260, 0},
    {"TG", "TGO", 768, 0}, {"TH", "THA", 764, 1}, {"TJ", "TJK", 762, 0}, {"TK", "TKL", 772, 1},
    {"TL", "TLS", 626, 1}, {"TM", "TKM", 795, 0}, {"TN", "TUN", 788, 0}, {"TO", "TON", 776, 1},
    {"TR", "TUR", 792, 0}, {"TT", "TTO", 780, 1}, {"TV", "TUV", 798, 1}, {"TW", "TWN", 158, 0},
    {"TZ", "TZA", 834, 1}, {"UA", "UKR", 804, 0}, {"UG", "UGA", 800, 1}, {"UM", "UMI", 581, 0},
    {"US", "USA", 840, 0}, {"UY", "URY", 858, 0}, {"UZ", "UZB", 860, 0}, {"VA", "VAT", 336, 0},
    {"VC", "VCT", 670, 1}, {"VE", "VEN", 862, 0}, {"VG", "VGB", 92, 1},  {"VI", "VIR", 850, 1},
    {"VN", "VNM", 704, 0}, {"VU", "VUT", 548, 0}, {"WF", "WLF", 876, 0}, {"WS", "WSM", 882, 1},
    {"XK", "XKX", 983, 0}, {"YE", "YEM", 887, 0}, {"YT", "MYT", 175, 0}, {"ZA", "ZAF", 710, 1},
    {"ZM", "ZMB", 894, 1}, {"ZW", "ZWE", 716, 1},
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

uint16_t NumericCountryOfAlpha3(std::string_view alpha3) {
  // Areas that ISO does not number take the code of the state that the ISO code of their soil belongs to.
  static constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"KOS", "XKX"}, {"XKO", "XKX"}, {"PSX", "PSE"}, {"SDS", "SSD"}, {"SAH", "ESH"}, {"SOL", "SOM"},
      {"ALD", "ALA"}, {"CYN", "CYP"}, {"CNM", "CYP"}, {"ESB", "CYP"}, {"WSB", "CYP"}};
  for (const auto& [other, iso] : kOthers) {
    if (alpha3 == other) alpha3 = iso;
  }
  const auto found = std::find_if(std::begin(kCountries), std::end(kCountries),
                                  [&](const Country& c) { return c.alpha3 == alpha3; });
  return found == std::end(kCountries) ? 0 : found->numeric;
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
