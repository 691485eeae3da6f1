#include "trainer/eval/baselines.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/rng.h"
#include "data/baseline/colour_layout.h"
#include "data/image/jpeg_decode.h"

namespace graticule {
namespace {

// Records with a known place, in dataset order, with the colour layouts of those that can be decoded.
struct PlacedRecords {
  std::vector<int64_t> records;
  std::vector<LatLon> places;
  std::vector<std::optional<ColourLayout>> layouts;  // empty unless asked for
};

PlacedRecords WithPlaces(const Dataset& dataset) {
  PlacedRecords gallery;
  for (int64_t record = 0; record < dataset.size(); ++record) {
    const LatLon place = dataset.place(record);
    if (!IsValid(place)) continue;
    gallery.records.push_back(record);
    gallery.places.push_back(place);
  }
  return gallery;
}

// Decodes all images of a gallery on some threads; counts in `progress` reach the caller's thread only.
class LayoutReader {
 public:
  LayoutReader(const BaselineOptions& options, int64_t total) : options_(options), total_(total) {}

  void Read(const Dataset& dataset, PlacedRecords* gallery) {
    gallery->layouts.assign(gallery->records.size(), std::nullopt);
    std::atomic<size_t> next = 0;
    std::atomic<int64_t> finished = 0;
    std::mutex mutex;
    std::exception_ptr failure;  // of the storage: the first one
    const auto work = [&](bool reports) {
      JpegDecoder decoder;
      Image image;
      std::vector<uint8_t> bytes;
      for (size_t i = next++; i < gallery->records.size(); i = next++) {
        try {
          gallery->layouts[i] = ReadOne(dataset, gallery->records[i], decoder, bytes, image);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!failure) failure = std::current_exception();
          next = gallery->records.size();
        }
        ++finished;
        if (reports && options_.progress) options_.progress(done_ + finished, total_);
      }
    };
    {
      std::vector<std::jthread> workers;
      for (int t = 1; t < options_.threads; ++t) workers.emplace_back(work, false);
      work(true);
    }
    done_ += finished;
    if (failure) std::rethrow_exception(failure);
  }

  int64_t unreadable() const { return unreadable_; }

 private:
  std::optional<ColourLayout> ReadOne(const Dataset& dataset, int64_t record, JpegDecoder& decoder,
                                      std::vector<uint8_t>& bytes, Image& image) {
    try {
      dataset.ReadImage(record, bytes);
    } catch (const BadRecord&) {
      ++unreadable_;
      return std::nullopt;
    }
    try {
      decoder.Decode(bytes, {.apply_orientation = true}, image);
      return ComputeColourLayout(image.view());
    } catch (const Error&) {
      ++unreadable_;
      return std::nullopt;
    }
  }

  const BaselineOptions& options_;
  int64_t total_, done_ = 0;
  std::atomic<int64_t> unreadable_ = 0;
};

using ErrorsByBaseline = std::map<std::string, std::vector<double>>;

LatLon MostCommonCentre(const CellTable& cells) {
  const auto& counts = cells.counts();
  return cells
      .centres()[static_cast<size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin())];
}

ErrorsByBaseline PlaceErrors(const PlacedRecords& train, const PlacedRecords& part, const CellTable& cells,
                             uint64_t seed, uint64_t salt) {
  ErrorsByBaseline errors;
  const LatLon common = MostCommonCentre(cells);
  for (size_t i = 0; i < part.places.size(); ++i) {
    const LatLon truth = part.places[i];
    Rng rng(seed,
            {.epoch = salt, .index = static_cast<uint64_t>(part.records[i]), .purpose = Purpose::kBaseline});
    const int64_t cell = cells.CellOf(truth).value_or(cells.NearestCell(truth));
    errors["common_cell"].push_back(HaversineKm(common, truth));
    errors["random_place"].push_back(HaversineKm(train.places[rng.Below(train.places.size())], truth));
    errors["cell_ceiling"].push_back(HaversineKm(cells.centres()[static_cast<size_t>(cell)], truth));
  }
  return errors;
}

std::vector<double> ColourErrors(const PlacedRecords& train, const PlacedRecords& part, int threads) {
  std::vector<ColourLayout> gallery, queries;
  std::vector<LatLon> gallery_places, truths;
  for (size_t i = 0; i < train.layouts.size(); ++i) {
    if (train.layouts[i]) gallery.push_back(*train.layouts[i]), gallery_places.push_back(train.places[i]);
  }
  for (size_t i = 0; i < part.layouts.size(); ++i) {
    if (part.layouts[i]) queries.push_back(*part.layouts[i]), truths.push_back(part.places[i]);
  }
  const std::vector<int64_t> nearest = NearestLayouts(gallery, queries, threads);
  std::vector<double> errors;
  for (size_t i = 0; i < nearest.size(); ++i) {
    if (nearest[i] >= 0)
      errors.push_back(HaversineKm(gallery_places[static_cast<size_t>(nearest[i])], truths[i]));
  }
  return errors;
}

BaselineMetrics Reduce(const ErrorsByBaseline& errors) {
  BaselineMetrics metrics;
  for (const auto& [name, values] : errors) metrics[name] = Summarise(values);
  return metrics;
}

}  // namespace

BaselineReport EvaluateBaselines(const Dataset& train,
                                 const std::map<std::string, std::shared_ptr<const Dataset>>& parts,
                                 const CellTable& cells, const BaselineOptions& options) {
  GRATICULE_CHECK(options.threads >= 1);
  PlacedRecords gallery = WithPlaces(train);
  if (gallery.places.empty()) {
    throw Error(ErrorCode::kData, "no training record has a place", "",
                "Baselines need coordinates; import with a table.");
  }
  int64_t total = static_cast<int64_t>(gallery.records.size());
  for (const auto& [name, dataset] : parts) total += dataset->size();
  LayoutReader reader(options, total);
  if (options.colour) reader.Read(train, &gallery);

  BaselineReport report;
  ErrorsByBaseline all;
  uint64_t salt = 0;
  for (const auto& [name, dataset] : parts) {
    PlacedRecords part = WithPlaces(*dataset);
    ErrorsByBaseline errors = PlaceErrors(gallery, part, cells, options.seed, salt++);
    if (options.colour) {
      reader.Read(*dataset, &part);
      errors["colour_knn"] = ColourErrors(gallery, part, options.threads);
    }
    report.parts[name] = Reduce(errors);
    for (const auto& [baseline, values] : errors)
      all[baseline].insert(all[baseline].end(), values.begin(), values.end());
  }
  report.all = Reduce(all);
  report.train_images = static_cast<int64_t>(gallery.records.size());
  report.unreadable = reader.unreadable();
  const auto& counts = cells.counts();
  const int64_t labelled = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  if (labelled > 0) {
    report.largest_cell_share =
        static_cast<double>(*std::max_element(counts.begin(), counts.end())) / static_cast<double>(labelled);
  }
  return report;
}

}  // namespace graticule
