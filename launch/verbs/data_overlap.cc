#include "launch/verbs/data_overlap.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/atomic_file.h"
#include "base/csv.h"
#include "base/json_text.h"
#include "base/text.h"
#include "data/overlap.h"
#include "launch/options.h"

namespace graticule {
namespace {

using nlohmann::json;

// lat,lon with all their digits; empty where unknown.
std::string PlaceFields(LatLon p) {
  return IsValid(p) ? fmt::format("{},{}", p.lat_deg, p.lon_deg) : std::string(",");
}

std::string CsvLine(const OverlapPair& pair) {
  std::string criteria;
  for (size_t by = 0; by < kOverlapCount; ++by) {
    if (pair.shared[by]) criteria += (criteria.empty() ? "" : "+") + std::string(kOverlapNames[by]);
  }
  return fmt::format("{},{},{},{},{},{},{},{}\n", pair.record_a, CsvField(pair.id_a),
                     PlaceFields(pair.place_a), pair.record_b, CsvField(pair.id_b), PlaceFields(pair.place_b),
                     std::isnan(pair.km) ? "" : fmt::format("{:.6f}", pair.km), criteria);
}

double Share(int64_t count, const OverlapResult& result) {
  return static_cast<double>(count) / static_cast<double>(result.records_b);
}

json Summary(const OverlapPart& a, const OverlapPart& b, double km, const OverlapResult& result) {
  json out = {{"a", {{"folder", a.folder}, {"split", a.split}, {"records", result.records_a}}},
              {"b", {{"folder", b.folder}, {"split", b.split}, {"records", result.records_b}}},
              {"km", km},
              {"pairs", result.pairs},
              {"any", {{"records", result.any}, {"share", Share(result.any, result)}}},
              {"by", json::object()},
              {"min_km", nullptr}};
  for (size_t by = 0; by < kOverlapCount; ++by) {
    const OverlapCounts& counts = result.by[by];
    out["by"][kOverlapNames[by]] = {{"records", counts.shared},
                                    {"share", Share(counts.shared, result)},
                                    {"known_a", counts.known_a},
                                    {"known_b", counts.known_b}};
  }
  if (!std::isnan(result.min_km)) {
    out["min_km"] = result.min_km;
    out["nearest"] = {{"record_a", result.nearest_a}, {"record_b", result.nearest_b}};
  }
  return out;
}

void Print(const OverlapPart& a, const OverlapPart& b, double km, const OverlapResult& result) {
  const auto name = [](const OverlapPart& part) {
    return part.split.empty() ? part.folder : fmt::format("{} ({})", part.folder, part.split);
  };
  fmt::print("A: {} of {}\nB: {} of {}\n\n", Counted(result.records_a, "record"), name(a),
             Counted(result.records_b, "record"), name(b));
  fmt::print("{:<26} {:>12} {:>9}\n", "same as some record of A", "records of B", "share");
  for (size_t by = 0; by < kOverlapCount; ++by) {
    const OverlapCounts& counts = result.by[by];
    const std::string title =
        by + 1 == kOverlapCount ? fmt::format("place within {} km", km) : kOverlapNames[by];
    if (counts.known_a == 0 || counts.known_b == 0)
      fmt::print("{:<26} {:>12}  {} has none to compare\n", title, "-", counts.known_a == 0 ? "A" : "B");
    else
      fmt::print("{:<26} {:>12} {:>8.3f}%\n", title, counts.shared, 100 * Share(counts.shared, result));
  }
  fmt::print("{:<26} {:>12} {:>8.3f}%\n", "any of these", result.any, 100 * Share(result.any, result));
  if (!std::isnan(result.min_km)) {
    fmt::print("\nsmallest distance {:.4f} km, between record {} of A and record {} of B\n", result.min_km,
               result.nearest_a, result.nearest_b);
  }
}

int Run(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data overlap DIR_A [DIR_B] [options]",
      "Counts the records of B that share an id, image bytes, an author or a capture sequence with a record "
      "of A, or lie\nclose to one. With one folder, two of its splits are compared.");
  namespace po = boost::program_options;
  options.visible().add_options()("split-a", po::value<std::string>()->default_value(""),
                                  "records of A with this label only [all]")(
      "split-b", po::value<std::string>()->default_value(""), "records of B with this label only [all]")(
      "km", po::value<double>()->default_value(1), "places closer than this overlap")(
      "out", po::value<std::string>(), "write the pairs to this CSV file [none]");
  options.Positional("folder", "datasets");
  if (!options.Parse(arguments)) return 0;
  const std::vector<std::string> folders = options.Words("folder");
  if (folders.empty() || folders.size() > 2) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{} dataset folders are named, expected one or two", folders.size()));
  }
  const auto km = options.Get<double>("km");
  if (!(km >= 0 && km <= 20'100))
    throw Error(ErrorCode::kUsage, fmt::format("--km is {}, expected 0 to 20100", km));
  const OverlapPart a{folders.front(), options.Get<std::string>("split-a")};
  const OverlapPart b{folders.back(), options.Get<std::string>("split-b")};
  const std::string path = options.Has("out") ? options.OutputFile("out", "pairs.csv") : "";
  std::optional<AtomicFile> file;
  if (!path.empty()) file.emplace(PosixFs(), path);
  std::string buffer = "record_a,id_a,lat_a,lon_a,record_b,id_b,lat_b,lon_b,km,criteria\n";
  const OverlapResult result = FindOverlap(a, b, km, [&](const OverlapPair& pair) {
    if (!file) return;
    buffer += CsvLine(pair);
    if (buffer.size() < 1 << 20) return;
    file->Append(buffer);
    buffer.clear();
  });
  if (file) {
    file->Append(buffer);
    file->Commit();
  }
  if (options.json()) {
    json out = Summary(a, b, km, result);
    if (file) out["out"] = path;
    fmt::print("{}\n", JsonText(out));
  } else {
    Print(a, b, km, result);
    if (file) fmt::print("{} written to {}\n", Counted(result.pairs, "pair"), path);
  }
  return 0;
}

}  // namespace

Verb DataOverlapVerb() { return {"data overlap", "what two datasets, or two splits, have in common", Run}; }

}  // namespace graticule
