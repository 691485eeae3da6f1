#include "data/enrich/enrich_sidecar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/dataset.h"
#include "data/enrich/record_labels.h"
#include "data/verify.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

EnrichColumn Column(EnrichValues values, int64_t direct, bool replace = false) {
  return {{.sources = {{"layer.tif", std::string(64, 'a')}},
           .method = "nearest",
           .reach_km = 10,
           .replace = replace,
           .direct = direct},
          std::move(values)};
}

std::set<std::string> Sidecars(const std::string& folder) {
  std::set<std::string> names;
  for (const std::string& name : PosixFs().List(folder)) {
    if (name.starts_with("enrich")) names.insert(name);
  }
  return names;
}

// TinyRow: every third record lacks climate and elevation, none has a driving side, all have a country.
TEST(EnrichSidecar, FillsWhatTheSourceDoesNotHave) {
  const TemporaryFolder folder;
  const std::string d = folder / "d";
  const Manifest plain = WriteTinyDataset(d, 25, 10);
  const std::string before = Dataset::Open({d})->Sha256();
  std::vector<uint8_t> climate(25, 29), drive(25, 1);
  climate[3] = kMissingU8;
  std::vector<float> elevation(25, -7.25f), population(25, 42);
  population[5] = kNaN;
  const Manifest manifest = WriteEnrichment(PosixFs(), d, plain,
                                            {{"climate", Column(climate, 24)},
                                             {"drive_left", Column(drive, 25)},
                                             {"country_iso", Column(std::vector<uint16_t>(25, 276), 25)},
                                             {"elev_m", Column(elevation, 25)},
                                             {"popden_km2", Column(population, 24)}});
  EXPECT_EQ(manifest.enrich_sidecar->counts.at("climate"), 24);
  const auto dataset = Dataset::Open({d});
  for (int64_t i = 0; i < 25; ++i) {
    const RecordMeta meta = dataset->meta(i);
    const bool own = i % 3 != 0;
    EXPECT_EQ(meta.climate, own ? i % 30 + 1 : i == 3 ? kMissingU8 : 29) << i;
    EXPECT_EQ(meta.aux[0], own ? 10.5f * static_cast<float>(i) : -7.25f) << i;
    EXPECT_EQ(meta.drive_left, 1);
    EXPECT_EQ(meta.country, i % 2 == 0 ? "NA" : "FR");
    EXPECT_EQ(std::isnan(meta.aux[1]), i == 5);
    EXPECT_TRUE(std::isnan(meta.aux[2]));
  }
  EXPECT_DOUBLE_EQ(dataset->Coverage("climate"), 24.0 / 25);
  EXPECT_DOUBLE_EQ(dataset->Coverage("elev_m"), 1);
  EXPECT_DOUBLE_EQ(dataset->Coverage("popden_km2"), 24.0 / 25);
  EXPECT_DOUBLE_EQ(dataset->Coverage("drive_left"), 1);
  EXPECT_DOUBLE_EQ(dataset->Coverage("tavg_c"), 0);
  EXPECT_NE(dataset->Sha256(), before);
}

TEST(EnrichSidecar, ReplacesTheSourcesOwnWhereAsked) {
  const TemporaryFolder folder;
  const std::string d = folder / "d";
  const Manifest plain = WriteTinyDataset(d, 9, 4);
  std::vector<uint16_t> country(9, 276);
  country[4] = 0;
  WriteEnrichment(
      PosixFs(), d, plain,
      {{"country_iso", Column(country, 8, true)}, {"elev_m", Column(std::vector<float>(9, 3.5f), 9, true)}});
  const auto dataset = Dataset::Open({d});
  for (int64_t i = 0; i < 9; ++i) {
    EXPECT_EQ(dataset->meta(i).country, i == 4 ? "NA" : "DE") << i;
    EXPECT_EQ(dataset->meta(i).aux[0], 3.5f);
  }
}

TEST(EnrichSidecar, KeepsEarlierColumnsAndOneFile) {
  const TemporaryFolder folder;
  const std::string d = folder / "d";
  Manifest manifest = WriteTinyDataset(d, 6, 4);
  EXPECT_FALSE(ReadManifest(d).enrich_sidecar.has_value());
  manifest = WriteEnrichment(PosixFs(), d, manifest, {{"climate", Column(std::vector<uint8_t>(6, 5), 6)}});
  const std::string first = manifest.enrich_sidecar->file;
  manifest = WriteEnrichment(PosixFs(), d, manifest,
                             {{"coast_km", Column(std::vector<float>{1, 2, 3, 4, 5, 6}, 6)}});
  EXPECT_NE(manifest.enrich_sidecar->file, first);
  EXPECT_EQ(Sidecars(d), std::set<std::string>{manifest.enrich_sidecar->file});
  const EnrichSidecar sidecar = EnrichSidecar::Open(d, manifest);
  EXPECT_EQ(std::vector<uint8_t>(sidecar.climate.begin(), sidecar.climate.end()), std::vector<uint8_t>(6, 5));
  EXPECT_EQ(sidecar.coast_km[5], 6);
  EXPECT_TRUE(sidecar.landcover.empty());
  EXPECT_EQ(sidecar.columns.at("climate").sources.at(0).file, "layer.tif");
  EXPECT_EQ(sidecar.columns.at("climate").reach_km, 10);
  EXPECT_EQ(sidecar.columns.at("coast_km").direct, 6);
  EXPECT_TRUE(VerifyDataset(d, {.images = false}).good());
}

TEST(EnrichSidecar, ACrashAtAnyWriteLeavesADatasetThatOpens) {
  const TemporaryFolder folder;
  int calls = 0;
  for (int fail_at = 0;; ++fail_at) {
    const std::string d = folder / ("d" + std::to_string(fail_at));
    Manifest manifest = WriteTinyDataset(d, 6, 4);
    manifest = WriteEnrichment(PosixFs(), d, manifest, {{"climate", Column(std::vector<uint8_t>(6, 5), 6)}});
    calls = 0;
    const auto fs = MakeFaultyFs(PosixFs(), [&](std::string_view, const std::string&) {
      if (calls++ == fail_at) throw Error(ErrorCode::kCheckpoint, "injected");
    });
    bool failed = false;
    try {
      WriteEnrichment(*fs, d, manifest, {{"climate", Column(std::vector<uint8_t>(6, 7), 6)}});
    } catch (const Error&) {
      failed = true;
    }
    const uint8_t climate = Dataset::Open({d})->meta(3).climate;
    EXPECT_TRUE(climate == 5 || climate == 7) << fail_at;
    if (!failed) {
      EXPECT_EQ(climate, 7);
      break;
    }
  }
  EXPECT_GT(calls, 5);
}

TEST(EnrichSidecar, RefusesWhatDoesNotFitTheDataset) {
  const TemporaryFolder folder;
  const std::string d = folder / "d";
  const Manifest manifest = WriteEnrichment(PosixFs(), d, WriteTinyDataset(d, 6, 4),
                                            {{"climate", Column(std::vector<uint8_t>(6, 5), 6)}});
  const std::string path = d + "/" + manifest.enrich_sidecar->file;
  PatchByte(path, manifest.enrich_sidecar->size - 2, 1);
  EXPECT_NE(FailureOf([&] { Dataset::Open({d}); }).find("SHA-256"), std::string::npos);
  EXPECT_FALSE(VerifyDataset(d, {.images = false}).good());
  PatchByte(path, manifest.enrich_sidecar->size - 2, 1);

  // A sidecar of other columns, types and lengths, each named with its right hash.
  const auto with = [&](const std::string& name, TensorView view, const std::string& columns) {
    SafetensorsWriter writer;
    writer.Add(name, std::move(view));
    writer.SetMetadata("columns", columns);
    Manifest other = manifest;
    other.enrich_sidecar->file = "other.safetensors";
    other.enrich_sidecar->sha256 = writer.Write(PosixFs(), d + "/other.safetensors");
    other.enrich_sidecar->size = PosixFs().FileSize(d + "/other.safetensors");
    return FailureOf([&] { EnrichSidecar::Open(d, other); });
  };
  const std::vector<uint8_t> bytes(24, 1);
  const TensorView six{.dtype = SafeDType::kU8, .shape = {6}, .data = bytes.data(), .bytes = 6};
  const TensorView five{.dtype = SafeDType::kU8, .shape = {5}, .data = bytes.data(), .bytes = 5};
  const TensorView floats{.dtype = SafeDType::kF32, .shape = {6}, .data = bytes.data(), .bytes = 24};
  const std::string info =
      R"({"sources": [], "method": "nearest", "reach_km": 0, "replace": false, "direct": 6,
                               "fallback": 0, "fallback_mean_km": 0, "fallback_max_km": 0})";
  EXPECT_NE(with("climate", five, "{\"climate\": " + info + "}").find("expected U8 with 6"),
            std::string::npos);
  EXPECT_NE(with("climate", floats, "{\"climate\": " + info + "}").find("is F32"), std::string::npos);
  EXPECT_NE(with("soil", six, "{\"soil\": " + info + "}").find("\"soil\" is no column"), std::string::npos);
  EXPECT_NE(with("climate", six, "{}").find("says nothing of tensor \"climate\""), std::string::npos);
  EXPECT_NE(with("climate", six, "[3]").find("\"columns\" is not as expected"), std::string::npos);
}

}  // namespace
}  // namespace graticule
