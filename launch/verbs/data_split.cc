#include "launch/verbs/data_split.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "data/enrich/record_labels.h"
#include "data/shard/shard_reader.h"
#include "data/shard/sidecar_file.h"
#include "data/split/block_split.h"
#include "geo/svg.h"
#include "launch/options.h"
#include "launch/verbs/dataset_folders.h"

namespace graticule {
namespace {

using nlohmann::json;

// The datasets that are split together, one after the other.
struct Sources {
  std::vector<std::string> folders;
  std::vector<std::unique_ptr<FileLock>> locks;
  std::vector<Manifest> manifests;
  std::vector<RecordLabels> labels;
  std::vector<LatLon> places;
  std::vector<uint64_t> sequences;
};

Sources Load(const std::vector<std::string>& folders) {
  Sources s;
  s.folders = folders;
  for (const std::string& folder : folders) {
    RequireManifest(folder);  // before the lock, which stays where it is made
    s.locks.push_back(LockSidecars(folder));
    const Manifest manifest = ReadManifest(folder);
    for (size_t earlier = 0; earlier < s.manifests.size(); ++earlier) {
      if (manifest.index.sha256 != s.manifests[earlier].index.sha256) continue;
      throw Error(ErrorCode::kUsage, fmt::format("holds the same records as {}", folders[earlier]), folder,
                  "Name one of the two.");
    }
    const RecordIndex index = RecordIndex::Open(folder, manifest);
    for (int64_t i = 0; i < index.size; ++i) s.places.push_back({index.lat[i], index.lon[i]});
    for (const ShardEntry& entry : manifest.shards) {
      const ShardReader reader(JoinPath(folder, entry.file), &entry);
      std::vector<uint64_t> hashes(static_cast<size_t>(entry.n), 0);
      if (reader.Has("/seq/hash")) hashes = reader.Column<uint64_t>("/seq/hash");
      s.sequences.insert(s.sequences.end(), hashes.begin(), hashes.end());
    }
    s.manifests.push_back(manifest);
    s.labels.push_back(RecordLabels::Open(folder, manifest, index));
  }
  return s;
}

// Mean and deviation of each regression target over the training part: what losses normalise with.
json TrainingStatistics(const Sources& s, const SplitLabels& labels) {
  json out = json::object();
  for (int k = 0; k < kAuxColumnCount; ++k) {
    int64_t count = 0;
    double mean = 0, m2 = 0;
    size_t at = 0;
    for (size_t f = 0; f < s.manifests.size(); ++f) {
      for (int64_t i = 0; i < s.manifests[f].n_records; ++i, ++at) {
        const double value = s.labels[f].aux(i, k);
        if (labels.label[at] != kTrain || std::isnan(value)) continue;
        const double delta = value - mean;
        mean += delta / static_cast<double>(++count);
        m2 += delta * (value - mean);
      }
    }
    out[kAuxColumns[k]] = {{"count", count},
                           {"mean", mean},
                           {"std", count == 0 ? 0 : std::sqrt(m2 / static_cast<double>(count))}};
  }
  return out;
}

// Returns the files.
std::vector<std::string> WriteAll(const Sources& s, const SplitLabels& all) {
  std::vector<std::string> written;
  size_t at = 0;
  for (size_t f = 0; f < s.folders.size(); ++f) {
    SplitLabels part = all;
    const auto n = static_cast<size_t>(s.manifests[f].n_records);
    part.label.assign(all.label.begin() + static_cast<int64_t>(at),
                      all.label.begin() + static_cast<int64_t>(at + n));
    at += n;
    written.push_back(WriteSplit(PosixFs(), s.folders[f], s.manifests[f], part));
  }
  return written;
}

void AddOptions(Options& options) {
  namespace po = boost::program_options;
  const BlockSplitOptions d;
  options.visible().add_options()("seed", po::value<uint64_t>()->default_value(d.seed), "which blocks")(
      "hold-out", po::value<double>()->default_value(d.hold_out, ShortNumber(d.hold_out)),
      "share of records held out, near and far together")(
      "far-share", po::value<double>()->default_value(d.far_share, ShortNumber(d.far_share)),
      "share of the held-out that should be far")(
      "far-km", po::value<double>()->default_value(d.far_km, ShortNumber(d.far_km)),
      "far: at least this far from any training image")(
      "region-deg", po::value<double>()->default_value(d.region_deg, ShortNumber(d.region_deg)),
      "side of the blocks held out for far")(
      "spot-deg", po::value<double>()->default_value(d.spot_deg, ShortNumber(d.spot_deg)),
      "side of the blocks held out for near")("val",
                                              po::value<double>()->default_value(d.val, ShortNumber(d.val)),
                                              "share of records for validation while training")(
      "val-deg", po::value<double>()->default_value(d.val_deg, ShortNumber(d.val_deg)),
      "side of the validation blocks")("gap-km",
                                       po::value<double>()->default_value(d.gap_km, ShortNumber(d.gap_km)),
                                       "training images closer to val are left out");
}

int Run(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data split DIR... [options]",
      "Labels every record train, val, near, far or none and writes the labels beside the shards. Several "
      "datasets\nare split as one, so that no training image of one lies close to a held-out image of "
      "another.");
  AddOptions(options);
  options.Positional("folder", "datasets");
  if (!options.Parse(arguments)) return 0;
  const std::vector<std::string> folders = DatasetFolders(options);
  BlockSplitOptions split{.seed = options.Get<uint64_t>("seed")};
  const std::pair<const char*, double*> fields[] = {
      {"hold-out", &split.hold_out},     {"far-share", &split.far_share}, {"far-km", &split.far_km},
      {"region-deg", &split.region_deg}, {"spot-deg", &split.spot_deg},   {"val", &split.val},
      {"val-deg", &split.val_deg},       {"gap-km", &split.gap_km}};
  for (const auto& [name, field] : fields) *field = options.Get<double>(name);
  const Sources sources = Load(folders);
  SplitLabels labels = MakeBlockSplit(sources.places, sources.sequences, split);
  labels.metadata["train_statistics"] = TrainingStatistics(sources, labels).dump();
  const std::vector<std::string> written = WriteAll(sources, labels);
  std::map<std::string, int64_t> counts;
  for (const std::string& name : labels.names) counts[name] = 0;
  for (const uint8_t label : labels.label) ++counts[labels.names[label]];
  if (options.json()) {
    fmt::print("{}\n",
               JsonText(json{{"records", labels.label.size()}, {"splits", counts}, {"out", written}}));
  } else {
    for (const std::string& name : labels.names) {
      fmt::print("{:<6} {:>9}  {:5.2f} %\n", name, counts[name],
                 100.0 * static_cast<double>(counts[name]) / static_cast<double>(labels.label.size()));
    }
    for (const std::string& path : written) fmt::print("written to {}\n", path);
  }
  return 0;
}

}  // namespace

Verb DataSplitVerb() { return {"data split", "hold out places for validation and test", Run}; }

}  // namespace graticule
