#include "data/import/importer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/hash.h"
#include "base/json_text.h"
#include "base/memory_file.h"
#include "base/text.h"
#include "data/image/jpeg_probe.h"
#include "data/import/extra_table.h"
#include "data/import/join_table.h"
#include "data/record.h"

namespace graticule {
namespace {

using nlohmann::json;

// The picture that Flickr serves for photographs that are gone.
constexpr size_t kPlaceholderBytes = 9218;
constexpr char kPlaceholderSha256[] = "0f28f49410a89e24c95acfd345210cc6f2294814584ad7c60f698fee74e46aad";

// Known formats that some sets ship under the name of a JPEG; nullptr otherwise.
const char* OtherFormat(const std::vector<uint8_t>& bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<size_t>(bytes.size(), 12));
  if (head.starts_with("\x89PNG")) return "PNG";
  if (head.starts_with("GIF8")) return "GIF";
  if (head.starts_with("RIFF") && head.ends_with("WEBP")) return "WebP";
  return nullptr;
}

std::unique_ptr<CsvReader> OpenTable(const ImportTable& table) {
  if (table.text.empty()) return CsvReader::Open(table.path, table.csv);
  return std::make_unique<CsvReader>(MemoryFile(table.text), table.path, table.csv);
}

// Tables are read as UTF-8, or as Latin-1 where they are not; so are names.
std::string NameInTables(const std::string& name) { return IsUtf8(name) ? name : FromLatin1(name); }

class Import {
 public:
  Import(FileSystem& fs, const ImportTable& table, const SourceOf& source, bool needs_ids,
         const ImportOptions& options)
      : fs_(fs),
        options_(options),
        table_path_(table.path),
        table_text_(table.text),
        filter_(options.filter) {
    std::vector<std::string> ids;
    if (!table.path.empty()) ReadTable(table, needs_ids ? &ids : nullptr);
    for (const ImportTable& side : table.sides) sides_.push_back(OpenSide(side));
    const JoinTable::KeyOf key = layout_ == nullptr
                                     ? JoinTable::KeyOf([](std::string_view id) { return std::string(id); })
                                     : [this](std::string_view id) { return layout_->Key(id); };
    for (const std::string& path : options.extra_csv)
      extra_.push_back(std::make_unique<ExtraTable>(path, key, report_));
    source_ = source(ids);
  }
  ImportResult Run();

 private:
  // A further table with a meaning of its own.
  struct Side {
    std::string path;
    std::unique_ptr<Layout> layout;
    std::unique_ptr<JoinTable> rows;
  };

  void ReadTable(const ImportTable& table, std::vector<std::string>* ids);
  Side OpenSide(const ImportTable& table);
  std::string Fingerprint() const;
  std::string SaveState() const;
  void LoadState(const std::string& text);
  void Take(const ImageFile& file, DatasetWriter& writer);
  bool Accept(const ImageFile& file, std::vector<uint8_t>& bytes, JpegHeader& info);
  bool Seen(const std::vector<uint8_t>& bytes);
  void CountLeftOvers();
  bool Filtered() const {
    return report_.count("filtered_country") + report_.count("filtered_box") +
               report_.count("filtered_date") >
           0;
  }

  FileSystem& fs_;
  const ImportOptions& options_;
  std::string table_path_, table_text_;
  ImportReport report_;
  Dictionaries dictionaries_;
  std::unique_ptr<Layout> layout_;
  std::unique_ptr<JoinTable> rows_;
  std::vector<Side> sides_;
  std::vector<std::unique_ptr<ExtraTable>> extra_;
  RecordFilter filter_;
  std::unique_ptr<ImageSource> source_;
  bool taken_ = true;  // whether the state that is saved holds the current file
  std::vector<uint8_t> bytes_;
  // Length and CRC-32C of each image kept, for drop_identical. Two different images share both about once in
  // 2^32 pairs of equal length: some hundredths of an image in a set of four million.
  std::unordered_set<uint64_t> kept_;
};

void Import::ReadTable(const ImportTable& table, std::vector<std::string>* ids) {
  std::unique_ptr<CsvReader> csv = OpenTable(table);
  layout_ = table.layout(*csv);
  rows_ = std::make_unique<JoinTable>(std::move(csv), layout_->id_column(),
                                      [this](std::string_view id) { return layout_->Key(id); });
  rows_->Build(report_, [&](const CsvRow& row) { return layout_->Scan(row, dictionaries_, report_); });
  if (table.check) table.check(rows_->rows_read(), report_);
  if (ids != nullptr) rows_->ForEach([&](const std::string& id, int64_t) { ids->push_back(id); });
}

Import::Side Import::OpenSide(const ImportTable& table) {
  Side side{table.path, nullptr, nullptr};
  std::unique_ptr<CsvReader> csv = OpenTable(table);
  side.layout = table.layout(*csv);
  const Layout* layout = side.layout.get();
  side.rows = std::make_unique<JoinTable>(std::move(csv), layout->id_column(),
                                          [layout](std::string_view id) { return layout->Key(id); });
  // What is wrong with rows of a side table is its own matter: the record stays.
  ImportReport unread;
  side.rows->Build(unread, [&](const CsvRow& row) { return layout->Scan(row, dictionaries_, unread); });
  report_.AddReason(unread, "row_not_utf8");
  const int64_t rows = side.rows->rows_read(), main = rows_->rows_read();
  report_.SetTotal("rows of " + BaseName(table.path), rows);
  if (rows != main)
    report_.Count("side_row_count", fmt::format("{}: {} rows beside {}", BaseName(table.path), rows, main));
  return side;
}

std::string Import::Fingerprint() const {
  const auto file = [](const std::string& path) {
    return path.empty() ? json() : json{BaseName(path), PosixFs().FileSize(path)};
  };
  json text = {{"source", source_->Fingerprint()},
               {"table", file(table_path_)},
               {"records", options_.writer.records_per_shard},
               {"bytes", options_.writer.bytes_per_shard},
               {"split", options_.writer.split},
               {"dataset", options_.writer.dataset},
               {"max", options_.max_records},
               {"min_bytes", options_.min_image_bytes},
               {"identical", options_.drop_identical},
               {"placeholders", options_.drop_placeholders},
               {"exif", options_.place_from_exif},
               {"filter", filter_.Fingerprint()}};
  if (!table_text_.empty()) text["rows"] = Sha256Hex(table_text_);
  for (const Side& side : sides_) text["sides"].push_back(file(side.path));
  for (const std::string& path : options_.extra_csv) text["extra"].push_back(file(path));
  return Sha256Hex(JsonText(text));  // paths are in it
}

std::string Import::SaveState() const {
  json state = {{"place", taken_ ? source_->PlaceBehind() : source_->PlaceBefore()},
                {"report", report_.ToJson()},
                {"filter", filter_.SaveState()}};
  if (rows_ != nullptr) state["used"] = rows_->SaveUsed();
  for (const auto& table : extra_) state["extra_used"].push_back(table->rows().SaveUsed());
  return state.dump();
}

void Import::LoadState(const std::string& text) {
  const json state = json::parse(text);
  source_->LoadPlace(state.at("place"));
  report_ = ImportReport::FromJson(state.at("report"));
  filter_.LoadState(state.at("filter"));
  if (rows_ != nullptr) rows_->LoadUsed(state.at("used"));
  for (size_t i = 0; i < extra_.size(); ++i) extra_[i]->rows().LoadUsed(state.at("extra_used").at(i));
}

bool Import::Seen(const std::vector<uint8_t>& bytes) {
  return !kept_.insert(uint64_t{bytes.size()} << 32 | Crc32c(bytes.data(), bytes.size())).second;
}

// Reads and judges the bytes; false when they are left out.
bool Import::Accept(const ImageFile& file, std::vector<uint8_t>& bytes, JpegHeader& info) {
  if (file.size <= options_.min_image_bytes && options_.min_image_bytes > 0) {
    report_.Count("too_small", file.name);
    return false;
  }
  std::string why;
  if (!source_->Read(bytes, why)) {
    report_.Count("damaged_member", fmt::format("{}: {}", file.name, why));
    return false;
  }
  if (options_.drop_placeholders && bytes.size() == kPlaceholderBytes &&
      Sha256Hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) == kPlaceholderSha256) {
    report_.Count("placeholder", file.name);
    return false;
  }
  if (const char* format = OtherFormat(bytes)) {
    report_.Count("other_format", fmt::format("{}: {}", file.name, format));
    return false;
  }
  const std::optional<JpegHeader> probed = ProbeJpeg(bytes, &why);
  if (!probed) {
    report_.Count("undecodable", fmt::format("{}: {}", file.name, why));
    return false;
  }
  if (options_.drop_identical && Seen(bytes)) {
    report_.Count("identical_bytes", file.name);
    return false;
  }
  if (probed->flags & kTruncated) report_.Count("truncated", file.name);
  info = *probed;
  return true;
}

void Import::Take(const ImageFile& file, DatasetWriter& writer) {
  RecordRow row;
  std::string id = NameInTables(file.name), text;
  if (rows_ == nullptr && id != file.name) {
    report_.Count("name_not_utf8", file.name);
    if (!options_.list_below.empty() && fs_.Exists(JoinPath(options_.list_below, id)))
      return report_.Count("file_twice", file.name);
  }
  if (rows_ != nullptr) {
    const std::optional<JoinTable::Match> match = rows_->Find(id);
    if (!match && rows_->Refused(id)) return;  // counted with its row
    if (!match) return report_.Count("file_without_row", file.name);
    if (match->again) return report_.Count("file_twice", file.name);
    row.SetInt(Col::kSrcRow, match->row);
    layout_->Map(match->fields, dictionaries_, report_, row);
    id = layout_->Id(match->fields);
    text = layout_->Text(match->fields);
    for (Side& side : sides_) {
      if (const std::optional<JoinTable::Match> more =
              side.rows->Find(match->fields.at(layout_->id_column())))
        side.layout->Map(more->fields, dictionaries_, report_, row);
    }
  }
  if (const char* reason = filter_.Refusal(row)) return report_.Count(reason, file.name);
  JpegHeader info;
  bytes_.clear();
  if (file.missing)
    report_.Count("record_without_image", file.name);
  else if (!Accept(file, bytes_, info))
    return;
  if (row.IsMissing(Col::kLat)) {
    if (!options_.place_from_exif || !info.exif_place || !IsValid(*info.exif_place)) {
      return report_.Count("without_place", file.name);
    }
    const LatLon place = Normalised(*info.exif_place);
    row.SetFloat(Col::kLat, place.lat_deg);
    row.SetFloat(Col::kLon, place.lon_deg);
    if (const char* reason = filter_.Refusal(row)) return report_.Count(reason, file.name);
    report_.Count("place_from_exif", file.name);
  }
  for (const auto& table : extra_) table->Fill(id, report_, row);
  filter_.Take(row);
  writer.Append(id, bytes_, {info.width, info.height, info.flags}, row, text);
}

void Import::CountLeftOvers() {
  if (rows_ != nullptr && options_.max_records == 0) {
    if (options_.part_of_images) {
      if (rows_->unused() > 0) report_.CountMany("row_of_another_part", rows_->unused());
    } else {
      rows_->ForEachUnused([&](const std::string& id, int64_t row) {
        report_.Count("row_without_file", fmt::format("{} (row {})", id, row));
      });
    }
    if (!options_.list_below.empty()) {
      for (const std::string& name : ListFilesBelow(options_.list_below)) {
        const std::string id = NameInTables(name);
        if (HasJpegName(name) && !rows_->Has(id) && !rows_->Refused(id))
          report_.Count("file_without_row", name);
      }
    }
  }
  if (options_.max_records > 0) return;
  for (const auto& table : extra_) {
    table->rows().ForEachUnused(
        [&](const std::string& id, int64_t) { report_.Count("extra_row_without_record", id); });
  }
}

ImportResult Import::Run() {
  DatasetWriter writer(fs_, options_.out, options_.writer, dictionaries_);
  if (const std::optional<std::string> state = writer.Resume(Fingerprint())) {
    LoadState(*state);
    writer.ForEachImage([&](uint32_t len, uint32_t crc32c) { kept_.insert(uint64_t{len} << 32 | crc32c); });
  }
  writer.OnSeal([this] { return SaveState(); });
  ImageFile file;
  while ((options_.max_records == 0 || writer.size() < options_.max_records) &&
         source_->Next(file, report_)) {
    taken_ = false;
    writer.MakeRoom(file.size);  // seals here, so that the saved state does not know this file yet
    Take(file, writer);
    taken_ = true;
    if (options_.progress) options_.progress({writer.size(), source_->position(), source_->size()});
  }
  // The last seal comes first: a state that is saved with it must not count left-overs that are counted again
  // when the import is repeated. The manifest comes last: where it is, the report is too.
  writer.SealAll();
  if (writer.size() > 0) report_.SetShare("consecutive_within_25km", writer.ConsecutiveWithin25Km());
  CountLeftOvers();
  report_.SetTotal("records", writer.size());
  if (rows_ != nullptr) report_.SetTotal("rows", rows_->rows_read());
  if (writer.size() == 0) {
    throw Error(ErrorCode::kData, "no record is left to write:\n" + report_.ToText(), options_.out,
                Filtered() ? "Check the filters of the command line."
                : rows_ != nullptr
                    ? "Check that table and images belong together."
                    : "Photos without a table need their place in EXIF; name a table of places with --csv.");
  }
  report_.Write(fs_, options_.out);
  Manifest manifest = writer.Finish();
  return {std::move(manifest), std::move(report_)};
}

}  // namespace

ImportResult ImportDataset(FileSystem& fs, const ImportTable& table, const SourceOf& source, bool needs_ids,
                           const ImportOptions& options) {
  return Import(fs, table, source, needs_ids, options).Run();
}

}  // namespace graticule
