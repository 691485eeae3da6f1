#include "launch/verbs/data_inspect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json_text.h"
#include "base/rng.h"
#include "base/text.h"
#include "data/country.h"
#include "data/enrich/enrich_sidecar.h"
#include "data/image/augment.h"
#include "data/image/jpeg_encode.h"
#include "data/shard/shard_reader.h"
#include "data/verify.h"
#include "launch/options.h"
#include "launch/verbs/data_legend.h"
#include "launch/verbs/dataset_folders.h"

namespace graticule {
namespace {

using nlohmann::json;

// Of the contact sheet, pixels and images. A JPEG has at most 65500 lines.
constexpr int kSide = 160, kColumns = 8;
constexpr int64_t kMostOnSheet = 65500 / kSide * kColumns;

// What geographic layers added, by column.
json Enriched(const std::string& folder, const Manifest& m) {
  json out = json::object();
  const EnrichSidecar sidecar = EnrichSidecar::Open(folder, m);
  for (const auto& [name, info] : sidecar.columns) {
    json files = json::array();
    for (const EnrichSource& source : info.sources) files.push_back(source.file);
    const int64_t count = info.direct + info.fallback;
    out[name] = {{"coverage", static_cast<double>(count) / static_cast<double>(m.n_records)},
                 {"fallback", info.fallback},
                 {"method", info.method},
                 {"replace", info.replace},
                 {"files", files}};
  }
  return out;
}

// The value of one record in every column of the enrichment.
json EnrichedRecord(const std::string& folder, const Manifest& m, int64_t record) {
  json out = json::object();
  const EnrichSidecar sidecar = EnrichSidecar::Open(folder, m);
  const auto add = [&](const std::string& name, const auto& column, const auto& known) {
    if (column.empty()) return;
    const auto value = column[static_cast<size_t>(record)];
    out["enrich/" + name] = known(value) ? json(value) : json();
  };
  const auto not_255 = [](uint8_t v) { return v != kMissingU8; };
  const auto finite = [](float v) { return !std::isnan(v); };
  add("climate", sidecar.climate, not_255);
  add("landcover", sidecar.landcover, not_255);
  add("drive_left", sidecar.drive_left, not_255);
  add("country_iso", sidecar.country_iso, [](uint16_t v) { return v != 0; });
  add(kCoastColumn, sidecar.coast_km, finite);
  for (int k = 0; k < kAuxColumnCount; ++k) add(kAuxColumns[k], sidecar.aux[k], finite);
  return out;
}

// whole: every file is there.
json Summary(const std::string& folder, const Manifest& m, bool whole) {
  BoundingBox box;
  uint64_t bytes = 0;
  for (const ShardEntry& shard : m.shards) {
    box.Include(shard.box);
    bytes += shard.size;
  }
  json out = {{"folder", folder},
              {"dataset", m.dataset},
              {"split", m.split},
              {"records", m.n_records},
              {"shards", m.shards.size()},
              {"bytes", bytes},
              {"licence_note", m.licence_note},
              {"consecutive_within_25km", m.consecutive_within_25km},
              {"manifest_sha256", m.sha256},
              {"columns", json::object()},
              {"dictionaries", json::object()}};
  if (!box.empty()) out["bbox"] = {box.min_lat, box.min_lon, box.max_lat, box.max_lon};
  for (const auto& [path, s] : m.stats) {
    out["columns"][path] = {{"coverage", static_cast<double>(s.count) / static_cast<double>(m.n_records)},
                            {"mean", s.mean},
                            {"std", s.std},
                            {"min", s.min},
                            {"max", s.max}};
  }
  for (const auto& [level, entry] : m.dictionaries) out["dictionaries"][level] = entry.entries - 1;
  if (m.split_sidecar) out["splits"] = m.split_sidecar->counts;
  if (m.enrich_sidecar && whole) out["enriched"] = Enriched(folder, m);
  return out;
}

void Print(const json& s) {
  fmt::print("{}: {} of {} ({}) in {}, {:.1f} MB\n", s["folder"].get<std::string>(),
             Counted(s["records"].get<int64_t>(), "record"), s["dataset"].get<std::string>(),
             s["split"].get<std::string>(), Counted(s["shards"].get<int64_t>(), "shard"),
             s["bytes"].get<double>() / 1e6);
  if (s.contains("bbox")) {
    fmt::print(
        "latitude {:.3f} to {:.3f}, longitude {:.3f} to {:.3f}; {:.1f} % of neighbours in file order lie "
        "within 25 km\n",
        s["bbox"][0].get<double>(), s["bbox"][2].get<double>(), s["bbox"][1].get<double>(),
        s["bbox"][3].get<double>(), 100 * s["consecutive_within_25km"].get<double>());
  }
  if (s.contains("splits")) {
    fmt::print("splits:");
    for (const auto& [name, count] : s["splits"].items()) fmt::print(" {} {}", name, count.get<int64_t>());
    fmt::print("\n");
  }
  for (const auto& [level, count] : s["dictionaries"].items())
    fmt::print("names: {:<12} {}\n", level, count.get<int64_t>());
  fmt::print("\n{:<24} {:>9} {:>16} {:>16} {:>16}\n", "column", "coverage", "mean", "min", "max");
  for (const auto& [path, c] : s["columns"].items()) {
    fmt::print("{:<24} {:>8.1f}% {:>16.6g} {:>16.10g} {:>16.10g}\n", path, 100 * c["coverage"].get<double>(),
               c["mean"].get<double>(), c["min"].get<double>(), c["max"].get<double>());
  }
  if (!s.contains("enriched")) return;
  fmt::print("\n{:<24} {:>9} {:>9}  {}\n", "enriched", "coverage", "fallback", "from");
  for (const auto& [name, c] : s["enriched"].items()) {
    const auto files = c["files"].get<std::vector<std::string>>();
    fmt::print("{:<24} {:>8.1f}% {:>9}  {}{}{}\n", name, 100 * c["coverage"].get<double>(),
               c["fallback"].get<int64_t>(), c["method"].get<std::string>(),
               files.empty()
                   ? ""
                   : fmt::format(", {}{}", files[0],
                                 files.size() > 1 ? fmt::format(" and {} more", files.size() - 1) : ""),
               c["replace"].get<bool>() ? ", replaces the source's own" : "");
  }
}

// Every column of one record, with names for dictionary numbers.
json Record(const std::string& folder, const Manifest& m, int64_t record) {
  if (record < 0 || record >= m.n_records) {
    throw Error(ErrorCode::kUsage, fmt::format("--record is {}, expected 0 to {}", record, m.n_records - 1));
  }
  size_t s = 0;
  while (record >= m.shards[s].first + m.shards[s].n) ++s;
  const ShardReader reader(JoinPath(folder, m.shards[s].file), &m.shards[s]);
  const int64_t i = record - m.shards[s].first;
  const ImageSlot slot = reader.Slots()[i];
  json out = {{"shard", m.shards[s].file},
              {"row", i},
              {"id", std::string(reader.Pool("/id/str_data", "/id/str_off").at(i))},
              {"/img/off", slot.off},
              {"/img/len", slot.len},
              {"/img/crc32c", fmt::format("{:08x}", slot.crc32c)},
              {"/img/width", reader.Column<uint16_t>("/img/width")[i]},
              {"/img/height", reader.Column<uint16_t>("/img/height")[i]},
              {"/img/flags", reader.Column<uint8_t>("/img/flags")[i]}};
  if (reader.Has("/text/off")) out["/text"] = std::string(reader.Pool("/text/data", "/text/off").at(i));
  for (const ColumnSpec& spec : Columns()) {
    if (!reader.Has(spec.path)) continue;
    RecordRow row;
    row.Load(spec.col, reader.ColumnBytes(spec.path).data() + static_cast<size_t>(i) * SizeOf(spec.type));
    if (row.IsMissing(spec.col)) {
      out[spec.path] = nullptr;
    } else if (const char* level = DictionaryLevel(spec.col)) {
      const StringPool names =
          reader.Pool(fmt::format("/dict/{}/data", level), fmt::format("/dict/{}/off", level));
      const auto number = static_cast<size_t>(row.Int(spec.col));
      out[spec.path] = number < names.size() ? std::string(names.at(number)) : "?";
    } else if (IsFloat(spec.type)) {
      out[spec.path] = row.Float(spec.col);
    } else if (spec.type == ColumnType::kU64) {
      out[spec.path] = static_cast<uint64_t>(row.Int(spec.col));
    } else {
      out[spec.path] = row.Int(spec.col);
    }
  }
  if (m.enrich_sidecar) out.update(EnrichedRecord(folder, m, record));
  return out;
}

// The bytes of one record's image as they were imported.
void WriteImage(const std::string& folder, int64_t record, const std::string& path) {
  const auto dataset = Dataset::Open({folder}, {.without_images = true});
  std::vector<uint8_t> bytes;
  try {
    dataset->ReadImage(record, bytes);
  } catch (const BadRecord& bad) {
    throw Error(ErrorCode::kData, fmt::format("{}: {}", dataset->Locate(record), bad.reason), folder,
                "`graticule data verify` lists all that is damaged.");
  }
  if (bytes.empty()) throw Error(ErrorCode::kData, fmt::format("record {} has no image", record), folder);
  WriteFileAtomically(PosixFs(), path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// Squares out of the middle of records spread evenly over the dataset, row by row. Images that cannot be
// decoded stay gray. Returns the records shown.
std::vector<int64_t> WriteSheet(const std::string& folder, int64_t count, const std::string& path) {
  const auto dataset = Dataset::Open({folder});
  count = std::min(count, dataset->size());
  Image sheet;
  sheet.Reset(kSide * static_cast<int>(std::min<int64_t>(count, kColumns)),
              kSide * static_cast<int>((count + kColumns - 1) / kColumns));
  std::fill(sheet.rgb.begin(), sheet.rgb.end(), uint8_t{128});
  Cropper cropper({.image_size = kSide, .kind = "centre_crop"});
  JpegDecoder decoder;
  Image image;
  Rng unused(0, {});
  std::vector<uint8_t> bytes, square(size_t{3} * kSide * kSide);
  std::vector<int64_t> shown;
  for (int64_t k = 0; k < count; ++k) {
    shown.push_back(k * dataset->size() / count);
    try {
      dataset->ReadImage(shown.back(), bytes);
      decoder.Decode(bytes, {.apply_orientation = true, .allow_truncated = true}, image);
    } catch (const Error&) {
      continue;
    } catch (const BadRecord&) {
      continue;
    }
    cropper.Crop(image, unused, square.data());
    for (int64_t y = 0; y < kSide; ++y) {
      uint8_t* to = sheet.rgb.data() + 3 * ((k / kColumns * kSide + y) * sheet.width + k % kColumns * kSide);
      std::copy_n(square.data() + 3 * kSide * y, 3 * kSide, to);
    }
  }
  const std::vector<uint8_t> jpeg = JpegEncoder().Encode(sheet.view(), 88);
  WriteFileAtomically(PosixFs(), path, {reinterpret_cast<const char*>(jpeg.data()), jpeg.size()});
  return shown;
}

struct Asked {
  std::optional<int64_t> record;
  std::string image, sheet;  // files to write; empty: none
  int64_t count = 0;
  bool legend = false;
};

Asked Check(const Options& options) {
  Asked asked{.count = options.Get<int64_t>("count"), .legend = options.Get<bool>("legend")};
  if (options.Has("record")) asked.record = options.Get<int64_t>("record");
  if (options.Has("image")) asked.image = options.OutputFile("image", "image.jpg");
  if (options.Has("sheet")) asked.sheet = options.OutputFile("sheet", "sheet.jpg");
  if (!asked.image.empty() && !asked.record) throw Error(ErrorCode::kUsage, "--image needs --record");
  if (options.Has("count") && asked.sheet.empty()) throw Error(ErrorCode::kUsage, "--count needs --sheet");
  if (asked.legend && (asked.record || !asked.sheet.empty()))
    throw Error(ErrorCode::kUsage, "--legend stands alone");
  if (asked.count < 1 || asked.count > kMostOnSheet) {
    throw Error(ErrorCode::kUsage, fmt::format("--count is {}, expected 1 to {}", asked.count, kMostOnSheet));
  }
  return asked;
}

// What was asked for, on stdout unless it goes into `out`.
void ShowLegend(const std::string& folder, const Manifest& manifest, bool as_json, json& out) {
  const json legend = LegendOf(folder, manifest);
  out.update({{"folder", folder}, {"legend", legend}});
  if (!as_json) PrintLegend(legend);
}

void Show(const std::string& folder, const Manifest& manifest, const Asked& asked, bool as_json, json& out) {
  out.update(asked.record ? Record(folder, manifest, *asked.record)
                          : Summary(folder, manifest, out["problems"].empty()));
  if (!as_json && asked.record) {
    for (const auto& [name, value] : out.items()) {
      if (name != "problems") fmt::print("{:<24} {}\n", name, value.is_null() ? "-" : JsonText(value));
    }
  } else if (!as_json) {
    Print(out);
  }
  if (!asked.image.empty()) {
    WriteImage(folder, *asked.record, asked.image);
    out["image"] = asked.image;
    if (!as_json) fmt::print("\nthe image is written to {}\n", asked.image);
  }
  if (!asked.sheet.empty()) {
    out["sheet_records"] = WriteSheet(folder, asked.count, asked.sheet);
    out["sheet"] = asked.sheet;
    if (!as_json)
      fmt::print("\na sheet of {} is written to {}\n", Counted(std::ssize(out["sheet_records"]), "record"),
                 asked.sheet);
  }
}

int Run(const std::vector<std::string>& arguments) {
  Options options("graticule data inspect DIR [--record N [--image FILE]] [--sheet FILE] | --legend",
                  "Shows what a dataset holds, or one record of it; --sheet draws records from all over it. "
                  "Exits 3 if files\nof the dataset are missing or cut short.");
  namespace po = boost::program_options;
  options.visible().add_options()("record", po::value<int64_t>(),
                                  "show this record, counted from 0 [a summary of all]")(
      "image", po::value<std::string>(), "with --record: write its JPEG here [nowhere]")(
      "sheet", po::value<std::string>(), "write a contact sheet (JPEG) here [nowhere]")(
      "legend", po::bool_switch(), "show what the codes in it mean, with the number of records of each")(
      "count", po::value<int64_t>()->default_value(64),
      fmt::format("images on the sheet, at most {}", kMostOnSheet).c_str());
  options.Positional("folder", "dataset");
  if (!options.Parse(arguments)) return 0;
  const std::vector<std::string> folders = DatasetFolders(options);
  if (folders.size() > 1)
    throw Error(ErrorCode::kUsage, fmt::format("{} datasets are named, expected one", folders.size()));
  const Asked asked = Check(options);
  const std::string& folder = folders.front();
  const Manifest manifest = ReadManifest(folder);
  const std::vector<std::string> problems = MissingFiles(folder, manifest);
  json out = {{"problems", problems}};
  if (asked.legend)
    ShowLegend(folder, manifest, options.json(), out);
  else
    Show(folder, manifest, asked, options.json(), out);
  if (options.json()) fmt::print("{}\n", JsonText(out));
  for (const std::string& problem : problems) fmt::print(stderr, "{}\n", problem);
  return problems.empty() ? 0 : static_cast<int>(ErrorCode::kData);
}

}  // namespace

Verb DataInspectVerb() { return {"data inspect", "show what a dataset holds, or one record", Run}; }

}  // namespace graticule
