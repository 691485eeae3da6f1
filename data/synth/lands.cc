#include "data/synth/lands.h"

#include "base/error.h"

namespace graticule {
namespace {

constexpr const char* kAf = "Africa";
constexpr const char* kAs = "Asia";
constexpr const char* kEu = "Europe";
constexpr const char* kNa = "North America";
constexpr const char* kOc = "Oceania";
constexpr const char* kSa = "South America";

constexpr DemoCountry kCountries[] = {
    {"US", "United States", kNa, false},
    {"CA", "Canada", kNa, false},
    {"MX", "Mexico", kNa, false},
    {"GT", "Guatemala", kNa, false},
    {"CR", "Costa Rica", kNa, false},
    {"CU", "Cuba", kNa, false},
    {"DO", "Dominican Republic", kNa, false},
    {"CO", "Colombia", kSa, false},
    {"VE", "Venezuela", kSa, false},
    {"EC", "Ecuador", kSa, false},
    {"PE", "Peru", kSa, false},
    {"BO", "Bolivia", kSa, false},
    {"BR", "Brazil", kSa, false},
    {"PY", "Paraguay", kSa, false},
    {"UY", "Uruguay", kSa, false},
    {"AR", "Argentina", kSa, false},
    {"CL", "Chile", kSa, false},
    {"GB", "United Kingdom", kEu, true},
    {"IE", "Ireland", kEu, true},
    {"FR", "France", kEu, false},
    {"ES", "Spain", kEu, false},
    {"PT", "Portugal", kEu, false},
    {"DE", "Germany", kEu, false},
    {"IT", "Italy", kEu, false},
    {"AT", "Austria", kEu, false},
    {"PL", "Poland", kEu, false},
    {"CZ", "Czechia", kEu, false},
    {"SE", "Sweden", kEu, false},
    {"NO", "Norway", kEu, false},
    {"FI", "Finland", kEu, false},
    {"RO", "Romania", kEu, false},
    {"BG", "Bulgaria", kEu, false},
    {"GR", "Greece", kEu, false},
    {"UA", "Ukraine", kEu, false},
    {"TR", "Turkey", kAs, false},
    {"RS", "Serbia", kEu, false},
    {"LT", "Lithuania", kEu, false},
    {"BY", "Belarus", kEu, false},
    {"IS", "Iceland", kEu, false},
    {"RU", "Russia", kEu, false},
    {"KZ", "Kazakhstan", kAs, false},
    {"UZ", "Uzbekistan", kAs, false},
    {"MN", "Mongolia", kAs, false},
    {"CN", "China", kAs, false},
    {"JP", "Japan", kAs, true},
    {"KR", "South Korea", kAs, false},
    {"TW", "Taiwan", kAs, false},
    {"PH", "Philippines", kAs, false},
    {"VN", "Vietnam", kAs, false},
    {"TH", "Thailand", kAs, true},
    {"MM", "Myanmar", kAs, false},
    {"MY", "Malaysia", kAs, true},
    {"ID", "Indonesia", kAs, true},
    {"IN", "India", kAs, true},
    {"PK", "Pakistan", kAs, true},
    {"BD", "Bangladesh", kAs, true},
    {"LK", "Sri Lanka", kAs, true},
    {"NP", "Nepal", kAs, true},
    {"IR", "Iran", kAs, false},
    {"IQ", "Iraq", kAs, false},
    {"SA", "Saudi Arabia", kAs, false},
    {"AE", "United Arab Emirates", kAs, false},
    {"JO", "Jordan", kAs, false},
    {"EG", "Egypt", kAf, false},
    {"MA", "Morocco", kAf, false},
    {"DZ", "Algeria", kAf, false},
    {"TN", "Tunisia", kAf, false},
    {"SN", "Senegal", kAf, false},
    {"ML", "Mali", kAf, false},
    {"GH", "Ghana", kAf, false},
    {"NG", "Nigeria", kAf, false},
    {"CM", "Cameroon", kAf, false},
    {"ET", "Ethiopia", kAf, false},
    {"SD", "Sudan", kAf, false},
    {"KE", "Kenya", kAf, true},
    {"UG", "Uganda", kAf, true},
    {"TZ", "Tanzania", kAf, true},
    {"CD", "DR Congo", kAf, false},
    {"AO", "Angola", kAf, false},
    {"ZM", "Zambia", kAf, true},
    {"ZW", "Zimbabwe", kAf, true},
    {"MZ", "Mozambique", kAf, true},
    {"ZA", "South Africa", kAf, true},
    {"NA", "Namibia", kAf, true},
    {"BW", "Botswana", kAf, true},
    {"MG", "Madagascar", kAf, false},
    {"AU", "Australia", kOc, true},
    {"NZ", "New Zealand", kOc, true},
    {"PG", "Papua New Guinea", kOc, true},
    {"FJ", "Fiji", kOc, true},
};

constexpr DemoLand kLands[] = {
    {"US", 41, -76, 330},     {"US", 33, -83, 380},      {"US", 41, -88, 380},      {"US", 32, -97, 400},
    {"US", 45, -99, 380},     {"US", 39, -107, 420},     {"US", 36, -119, 300},     {"US", 46, -120, 280},
    {"US", 63, -149, 260},    {"CA", 46, -73, 330},      {"CA", 51, -98, 380},      {"CA", 53, -114, 380},
    {"CA", 46, -65, 190},     {"MX", 20, -100, 330},     {"MX", 27, -105, 330},     {"MX", 18, -93, 230},
    {"GT", 15, -90.5, 130},   {"CR", 10, -84, 100},      {"CU", 22, -79.5, 150},    {"DO", 19, -70.5, 110},
    {"CO", 5, -74, 340},      {"VE", 8.5, -66, 300},     {"EC", -1.5, -78.5, 190},  {"PE", -9.5, -75.5, 380},
    {"BO", -17, -65, 300},    {"BR", -8, -38, 330},      {"BR", -20, -44, 380},     {"BR", -27, -52, 280},
    {"BR", -12, -52, 380},    {"BR", -4, -60, 340},      {"PY", -25, -57, 200},     {"UY", -33, -56, 180},
    {"AR", -33, -63, 380},    {"AR", -41, -68, 300},     {"AR", -26, -65, 200},     {"CL", -33.5, -71, 170},
    {"CL", -41, -72.3, 170},  {"CL", -24, -69.5, 150},   {"GB", 53, -1.8, 230},     {"IE", 53.2, -8, 130},
    {"FR", 47, 2.5, 360},     {"ES", 40, -3.8, 330},     {"PT", 39.8, -8, 150},     {"DE", 51, 10, 280},
    {"IT", 43, 12, 230},      {"IT", 39, 16.3, 130},     {"AT", 47.4, 14, 140},     {"PL", 52, 19.3, 260},
    {"CZ", 49.8, 15.3, 130},  {"SE", 60, 15.5, 320},     {"NO", 61, 9.5, 220},      {"NO", 68, 16, 180},
    {"FI", 62.5, 26, 280},    {"RO", 46, 25, 220},       {"BG", 42.7, 25.2, 160},   {"GR", 39, 22.4, 170},
    {"UA", 49, 31, 360},      {"TR", 39, 30, 230},       {"TR", 39, 38, 280},       {"RS", 44, 21, 140},
    {"LT", 55.4, 23.9, 130},  {"BY", 53.5, 28, 210},     {"IS", 64.8, -19, 150},    {"RU", 55.5, 38, 380},
    {"RU", 57, 53, 380},      {"RU", 55, 83, 380},       {"RU", 56, 100, 330},      {"RU", 48.5, 134, 280},
    {"RU", 46, 43, 280},      {"RU", 62, 129, 280},      {"KZ", 49, 72, 430},       {"KZ", 44, 77, 230},
    {"UZ", 40.5, 66, 250},    {"MN", 47.5, 104, 340},    {"CN", 31, 117, 380},      {"CN", 38, 114, 360},
    {"CN", 28, 108, 360},     {"CN", 24, 112, 240},      {"CN", 43.5, 124, 320},    {"CN", 37, 102, 330},
    {"CN", 42, 86, 330},      {"JP", 35.8, 138.5, 200},  {"JP", 33.5, 131.5, 140},  {"JP", 43.3, 142.8, 140},
    {"KR", 36.5, 127.9, 150}, {"TW", 23.8, 121, 100},    {"PH", 15.5, 121, 150},    {"PH", 9, 124.5, 190},
    {"VN", 20.8, 105.8, 130}, {"VN", 11.5, 107.5, 170},  {"TH", 15.5, 101.5, 280},  {"MM", 20.5, 96, 280},
    {"MY", 4, 102.2, 170},    {"ID", -7, 110, 220},      {"ID", -1, 102, 230},      {"ID", -3, 120, 190},
    {"ID", -0.5, 114, 280},   {"IN", 20, 77, 420},       {"IN", 27, 78, 330},       {"IN", 12.5, 77.5, 270},
    {"IN", 23.5, 86, 240},    {"PK", 30.5, 71, 290},     {"BD", 24, 90, 150},       {"LK", 7.5, 80.7, 110},
    {"NP", 28, 84, 130},      {"IR", 34, 53, 390},       {"IQ", 33, 44, 220},       {"SA", 24, 45, 390},
    {"AE", 24.3, 54.8, 110},  {"JO", 31.5, 36.3, 110},   {"EG", 28.5, 31, 240},     {"MA", 32.5, -6.5, 270},
    {"DZ", 35, 3, 250},       {"TN", 35.3, 9.6, 130},    {"SN", 14.6, -15, 170},    {"ML", 13, -6, 250},
    {"GH", 7.3, -1.2, 170},   {"NG", 9, 7.5, 340},       {"CM", 5, 12, 210},        {"ET", 8.5, 39, 320},
    {"SD", 15, 32, 270},      {"KE", -0.5, 37, 220},     {"UG", 1.2, 32.4, 150},    {"TZ", -6, 35, 300},
    {"CD", -4, 18, 250},      {"CD", -10, 26.5, 250},    {"AO", -12.5, 15.5, 280},  {"ZM", -14, 28, 280},
    {"ZW", -19, 29.8, 210},   {"MZ", -18, 35, 250},      {"ZA", -26.5, 28.5, 280},  {"ZA", -33, 21, 260},
    {"NA", -22, 17, 310},     {"BW", -23, 25, 230},      {"MG", -19.5, 46.8, 250},  {"AU", -33.5, 149, 320},
    {"AU", -37, 145, 260},    {"AU", -26.5, 151.5, 260}, {"AU", -32, 117, 230},     {"AU", -34.5, 138.5, 180},
    {"AU", -19.5, 146, 200},  {"AU", -13, 131.5, 140},   {"NZ", -37.8, 175.8, 140}, {"NZ", -43.8, 171, 160},
    {"PG", -6.5, 145, 190},   {"FJ", -17.8, 178, 60},
};

}  // namespace

std::span<const DemoCountry> DemoCountries() { return kCountries; }
std::span<const DemoLand> DemoLands() { return kLands; }

int DemoCountryIndex(std::string_view iso) {
  for (size_t i = 0; i < std::size(kCountries); ++i) {
    if (iso == kCountries[i].iso) return static_cast<int>(i);
  }
  GRATICULE_CHECK(false, iso);
  return -1;
}

}  // namespace graticule
