#include "data/import/record_filter.h"

#include <gtest/gtest.h>

#include "tests/unit/base/failure_of.h"

namespace graticule {
namespace {

RecordRow Row(int country, double lat, double lon, int64_t captured_ms = -1) {
  RecordRow row;
  row.SetInt(Col::kCountryIso, country);
  row.SetFloat(Col::kLat, lat);
  row.SetFloat(Col::kLon, lon);
  if (captured_ms >= 0) row.SetInt(Col::kCapturedMs, captured_ms);
  return row;
}

std::string Refusal(const RecordFilter& filter, const RecordRow& row) {
  const char* reason = filter.Refusal(row);
  return reason == nullptr ? "" : reason;
}

TEST(RecordFilter, WantsEverythingUntilItIsToldOtherwise) {
  const RecordFilter filter({});
  EXPECT_EQ(Refusal(filter, RecordRow()), "");
  EXPECT_EQ(Refusal(filter, Row(276, 52, 13)), "");
}

TEST(RecordFilter, KnowsCountriesAndThatNaIsNamibia) {
  EXPECT_EQ(ParseCountries("DE,na,xk"), (std::vector<uint16_t>{276, 516, 983}));
  const RecordFilter filter({.countries = ParseCountries("NA")});
  EXPECT_EQ(Refusal(filter, Row(516, -22, 17)), "");
  EXPECT_EQ(Refusal(filter, Row(276, 52, 13)), "filtered_country");
  EXPECT_EQ(Refusal(filter, RecordRow()), "filtered_country");
  EXPECT_NE(FailureOf([] { ParseCountries("DE,,FR"); }, ErrorCode::kUsage).find("DE,,FR"), std::string::npos);
  FailureOf([] { ParseCountries("QQ"); }, ErrorCode::kUsage);
}

TEST(RecordFilter, BoxesMayCrossTheAntimeridian) {
  const RecordFilter pacific({.box = ParseBox("-25,170,-10,-170")});
  EXPECT_EQ(Refusal(pacific, Row(0, -17, 179)), "");
  EXPECT_EQ(Refusal(pacific, Row(0, -17, -179)), "");
  EXPECT_EQ(Refusal(pacific, Row(0, -17, 0)), "filtered_box");
  EXPECT_EQ(Refusal(pacific, Row(0, -30, 179)), "filtered_box");
  for (const char* bad : {"1,2,3", "1,2,3,4,5", "5,0,1,9", "0,-200,1,0", "north"})
    FailureOf([&] { ParseBox(bad); }, ErrorCode::kUsage);
}

TEST(RecordFilter, DatesAreHalfOpenAndUtc) {
  EXPECT_EQ(ParseDate("1970"), 0);
  EXPECT_EQ(ParseDate("2021-06"), 1622505600000);     // date -u -d 2021-06-01 +%s
  EXPECT_EQ(ParseDate("2020-02-29"), 1582934400000);  // date -u -d 2020-02-29 +%s
  for (const char* bad : {"2021-02-29", "21", "2021-6", "2021-06-01T00", "June"})
    FailureOf([&] { ParseDate(bad); }, ErrorCode::kUsage);
  const RecordFilter june({.from_ms = ParseDate("2021-06"), .to_ms = ParseDate("2021-07")});
  EXPECT_EQ(Refusal(june, Row(0, 0, 0, 1622505600000)), "");
  EXPECT_EQ(Refusal(june, Row(0, 0, 0, 1622505599999)), "filtered_date");
  EXPECT_EQ(Refusal(june, Row(0, 0, 0, ParseDate("2021-07"))), "filtered_date");
  EXPECT_EQ(Refusal(june, Row(0, 0, 0)), "filtered_date");
}

TEST(RecordFilter, CapsEachCountryAndRemembersItAcrossAnInterruption) {
  RecordFilter filter({.per_country = 2});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Refusal(filter, Row(276, 52, 13)), "");
    filter.Take(Row(276, 52, 13));
  }
  RecordFilter resumed({.per_country = 2});
  resumed.LoadState(filter.SaveState());
  EXPECT_EQ(Refusal(resumed, Row(276, 52, 13)), "over_the_cap");
  EXPECT_EQ(Refusal(resumed, Row(250, 48, 2)), "");
}

}  // namespace
}  // namespace graticule
