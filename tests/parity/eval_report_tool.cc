// Test tool: reads "record lat lon pred_lat pred_lon cell probability probability_25km country" lines ("-"
// for no country, "nan" for no place) from stdin and writes an evaluation into the folder given as the only
// argument.
#include <iostream>
#include <sstream>

#include "trainer/eval/report.h"

int main(int argc, char** argv) {
  using namespace graticule;
  if (argc != 2) return 2;
  std::vector<EvalRow> rows;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string lat, lon, country;
    EvalRow row;
    words >> row.record >> lat >> lon >> row.prediction.lat_deg >> row.prediction.lon_deg >> row.cell >>
        row.probability >> row.probability_25km >> country;
    if (!words) return 3;
    row.truth = {std::stod(lat), std::stod(lon)};
    row.id = "id" + std::to_string(row.record);
    row.country = country == "-" ? "" : country;
    rows.push_back(row);
  }
  WriteEvaluation(
      PosixFs(), argv[1], rows,
      {.set = "parity", .data_sha256 = "d", .cells_sha256 = "c", .weights_sha256 = "w", .step = 7});
}
