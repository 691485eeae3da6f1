#include "launch/verbs/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "launch/launch_rank.h"
#include "launch/options.h"
#include "trainer/eval/geojson.h"
#include "trainer/run/training_parts.h"
#include "trainer/serve/photo_predictor.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

// What all answers share. row: what numbers them, "cell" or (of a gallery) "place".
struct Shared {
  const char* row = "cell";
  double near_km = 0;
};

std::string Text(const std::vector<PhotoPrediction>& photos, const Shared& shared) {
  std::string text;
  for (const PhotoPrediction& photo : photos) {
    if (!photo.problem.empty()) continue;
    text += photo.photo + "\n";
    for (const Prediction& p : photo.places) {
      text += fmt::format("  {:9.4f} {:10.4f}  {:5.1f} %  {:5.1f} % within {} km  {} {}\n", p.place.lat_deg,
                          p.place.lon_deg, 100 * p.probability, 100 * p.near_probability, shared.near_km,
                          shared.row, p.cell);
    }
  }
  return text;
}

std::string Json(const std::vector<PhotoPrediction>& photos, const Shared& shared) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const PhotoPrediction& photo : photos) {
    nlohmann::ordered_json places = nlohmann::ordered_json::array();
    for (const Prediction& p : photo.places) {
      places.push_back({{"lat", p.place.lat_deg},
                        {"lon", p.place.lon_deg},
                        {"probability", p.probability},
                        {"near_probability", p.near_probability},
                        {shared.row, p.cell}});
    }
    nlohmann::ordered_json entry = {{"photo", photo.photo}, {"places", places}};
    if (!photo.problem.empty()) entry["error"] = photo.problem;
    list.push_back(std::move(entry));
  }
  return JsonText(nlohmann::ordered_json{{"near_km", shared.near_km}, {"photos", list}}) + "\n";
}

std::string GeoJson(const std::vector<PhotoPrediction>& photos, const Shared& shared) {
  std::vector<PhotoGuesses> guesses;
  for (const PhotoPrediction& photo : photos) {
    PhotoGuesses one{photo.photo, {}};
    for (const Prediction& p : photo.places)
      one.guesses.push_back({p.place, p.cell, p.probability, p.near_probability});
    guesses.push_back(std::move(one));
  }
  return ToGeoJson(guesses, shared.row, shared.near_km);
}

int Predict(const std::vector<std::string>& arguments) {
  Options options("graticule predict --model MODEL PHOTO|FOLDER...",
                  "Says where photos were taken: the best places of each.");
  options.visible().add_options()("model", po::value<std::string>(), "export, run or step folder (required)")(
      "weights", po::value<std::string>()->default_value("auto"),
      "raw, ema (their moving average, optim.ema_decay) or auto: ema where there is one")(
      "top", po::value<int>()->default_value(5), "places per photo")(
      "near-km", po::value<double>()->default_value(kNearKm),
      "also sum the probability of all places nearer to each answer than this")(
      "format", po::value<std::string>()->default_value("text"), "text, json or geojson")(
      "device", po::value<std::string>()->default_value("cpu"), "cpu or cuda")(
      "precision", po::value<std::string>()->default_value("fp32"), "fp32 or bf16");
  options.Positional("photo", "photos and folders of photos");
  if (!options.Parse(arguments)) return 0;
  if (!options.Has("model")) throw Error(ErrorCode::kUsage, "--model is missing", "", "see --help");
  const int top = options.Get<int>("top");
  if (top < 1) throw Error(ErrorCode::kUsage, fmt::format("--top is {}, expected at least 1", top));
  Shared shared{.near_km = options.Get<double>("near-km")};
  if (!(shared.near_km > 0)) {
    throw Error(ErrorCode::kUsage, fmt::format("--near-km is {}, expected more than 0", shared.near_km));
  }
  const std::string format = options.json() ? "json" : options.Get<std::string>("format");
  if (format != "text" && format != "json" && format != "geojson") {
    throw Error(ErrorCode::kUsage, fmt::format("--format is \"{}\", expected text, json or geojson", format));
  }
  const std::vector<std::string> paths = FindPhotos(options.Words("photo"));
  const std::string device = options.Get<std::string>("device"),
                    precision = options.Get<std::string>("precision"),
                    weights = options.Choice("weights", {"auto", "ema", "raw"});
  PrepareArithmetic(precision, device);
  std::vector<PhotoPrediction> photos;
  RunAlone("predict", device, [&](World& world) {
    OpenedModel model = OpenModel(options.Get<std::string>("model"),
                                  {.device = DeviceOf(world), .precision = precision, .weights = weights});
    if (model.gallery != nullptr) shared.row = "place";
    photos = PredictPhotos(model, paths, top, shared.near_km, world);
    return 0;
  });
  fmt::print("{}", format == "text"   ? Text(photos, shared)
                   : format == "json" ? Json(photos, shared)
                                      : GeoJson(photos, shared));
  int bad = 0;
  for (const PhotoPrediction& photo : photos) {
    if (photo.problem.empty()) continue;
    ++bad;
    fmt::print(stderr, "error: {}: {}\n", photo.photo, photo.problem);
  }
  return bad > 0 ? static_cast<int>(ErrorCode::kData) : 0;
}

}  // namespace

Verb PredictVerb() { return {"predict", "where was this photo taken", Predict}; }

}  // namespace graticule
