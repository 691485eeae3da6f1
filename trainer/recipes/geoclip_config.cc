#include "trainer/recipes/geoclip_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace graticule {

void LocationConfig::Bind(Section& s) {
  s.Field("sigmas", &sigmas, {.help = "scales of the random Fourier features, one capsule each"});
  s.Field("features", &features, {.help = "frequencies of each capsule", .min = 1, .max = 65536});
  s.Field("width", &width, {.help = "width of the capsules' layers", .min = 1, .max = 65536});
  s.Choice("projection", &projection, {"equal_earth", "web_mercator"}, "from the sphere to the plane");
  s.Field("parity", &parity, {.help = "the published package's order of operations in single precision"});
  s.Field("frozen", &frozen, {.help = "numbers of capsules that are not trained"});
  s.Check([this]() -> std::string {
    if (sigmas.empty()) return "sigmas is empty: there must be a capsule";
    for (const double sigma : sigmas) {
      if (!(sigma > 0)) return fmt::format("sigmas: found {}, expected numbers above 0", sigma);
    }
    for (const int64_t capsule : frozen) {
      if (capsule < 0 || capsule >= std::ssize(sigmas))
        return fmt::format("frozen: there is no capsule {}, they are counted from 0 to {}", capsule,
                           std::ssize(sigmas) - 1);
    }
    return parity && projection != "equal_earth" ? "parity knows projection equal_earth alone" : "";
  });
}

void GeoclipWeightFiles::Bind(Section& s) {
  s.Field("image_mlp", &image_mlp,
          {.help = "weights of the image MLP (.pth or .safetensors)", .on_resume = OnResume::kFree});
  s.Field("location", &location,
          {.help = "weights of the location tower; capsules beyond the file's start with a head of zeros",
           .on_resume = OnResume::kFree});
  s.Field("logit_scale", &logit_scale,
          {.help = "logarithm of the logit scale", .on_resume = OnResume::kFree});
}

double LogitScaleConfig::StartFor(const std::string& loss_kind) const {
  if (start > 0) return start;
  const double suits = loss_kind == "siglip" ? 10 : 1 / 0.07;
  return max > 0 ? std::min(suits, max) : suits;
}

void LogitScaleConfig::Bind(Section& s) {
  s.Field("start", &start,
          {.help = "scale of the logits at the start, 1 / temperature; 0: 10 for siglip, 1 / 0.07 otherwise",
           .min = 0,
           .max = 1e4,
           .on_resume = OnResume::kFree});
  s.Field("max", &max, {.help = "the scale is kept in [1, max]; 0: free", .min = 0, .max = 1e4});
  s.Field("frozen", &frozen, {.help = "the scale is not trained"});
  s.Check([this]() -> std::string {
    if (max == 0) return "";
    if (max < 1) return fmt::format("max is {}, expected 0 or at least 1", max);
    return start != 0 && (start > max || start < 1) ? "start must be 0 or lie in [1, max], or max be 0" : "";
  });
  s.Field("bias", &bias, {.help = "offset of the logits at the start (siglip)", .min = -1000, .max = 1000});
}

void BandConfig::Bind(Section& s) {
  s.Field("km", &km, {.help = "distances from and to; a second of 0 is without end", .unit = "km"});
  s.Field("count", &count, {.help = "negatives drawn from this band for each image", .min = 0, .max = 65536});
  s.Check([this]() -> std::string {
    if (km.size() != 2 || km[0] < 0 || (km[1] != 0 && km[1] <= km[0]))
      return "km: expected two distances, the second beyond the first or 0";
    return "";
  });
}

void NegativesConfig::Bind(Section& s) {
  s.Field(
      "queue", &queue,
      {.help = "places of former batches that every image is also compared with", .min = 0, .max = 1 << 24});
  s.Field(
      "noise_m", &noise_m,
      {.help = "standard deviation of the noise on places of the batch", .unit = "m", .min = 0, .max = 1e6});
  s.Field("queue_noise_m", &queue_noise_m,
          {.help = "the same for places of the queue and drawn ones", .unit = "m", .min = 0, .max = 1e6});
  s.Field("noise_in_degrees", &noise_in_degrees,
          {.help = "the same degrees on both axes, whatever the latitude"});
  s.List("bands", &bands, "rings around each image from which negatives are drawn, ascending");
  s.Choice("mode", &mode, {"shared", "per_row"},
           "who sees a drawn negative: every image, or the one it was drawn for");
  s.Field("own_km", &own_km,
          {.help = "places nearer than this are never drawn", .unit = "km", .min = 0, .max = 20000});
  s.Choice("thesis", &thesis, {"none", "v1", "v2", "v3", "v4", "v5", "v6"},
           "fill the queue's slots anew for each batch from the gallery, in one of the thesis' ways "
           "(geo/thesis_negatives.h)");
  s.Field(
      "near_after", &near_after,
      {.help = "samples until the near bands have their full share; before that the outermost one gets it",
       .min = 0});
  s.Check([this]() -> std::string {
    int64_t slots = 0;
    for (size_t i = 0; i < bands.size(); ++i) {
      slots += bands[i].count;
      if (bands[i].km.size() != 2) return "";  // the band says so itself
      const bool last = i + 1 == bands.size();
      if (!last && (bands[i].km[1] == 0 || bands[i + 1].km[0] < bands[i].km[1]))
        return fmt::format("bands: number {} reaches into the next one; they ascend and do not overlap",
                           i + 1);
      if (bands[i].km[1] != 0 && bands[i].km[1] <= own_km)
        return fmt::format("bands: number {} ends at {} km, but nothing within own_km {} is drawn", i + 1,
                           bands[i].km[1], own_km);
    }
    if (!bands.empty() && slots == 0) return "bands: no band has a count above 0";
    return near_after > 0 && bands.size() < 2 ? "near_after needs two bands, a near and a far one" : "";
  });
  s.Check([this]() -> std::string {
    return thesis != "none" && queue == 0 ? "thesis " + thesis + " fills the queue's slots, but queue is 0"
                                          : "";
  });
}

void GalleryConfig::Bind(Section& s) {
  s.Field("file", &file,
          {.help = "gallery (safetensors or CSV); empty: drawn from the training split",
           .on_resume = OnResume::kWarn});
  s.Field("size", &size, {.help = "places drawn at most; 0: all", .min = 0});
}

void GeoclipConfig::Bind(Section& s) {
  s.Field("views", &views, {.help = "crops of each image in a batch", .min = 1, .max = 64});
  s.Field("hidden", &hidden,
          {.help = "width of the image MLP's hidden layer; 0: as wide as its input", .min = 0, .max = 65536});
  s.Field("outputs", &outputs,
          {.help = "width of the space that images and places share", .min = 1, .max = 65536});
  s.Sub("init", &init, "published weights to start from");
  s.Sub("location", &location, "location tower");
  s.Sub("logit_scale", &logit_scale, "scale of the logits");
  s.Sub("negatives", &negatives, "what images are compared with besides the batch");
  s.Sub("gallery", &gallery, "places that answers are chosen from");
  s.Field("main_weight", &main_weight,
          {.help = "of the loss in the objective, beside simsiam.weight and nearest.weight",
           .min = 1e-6,
           .max = 1000});
  s.Sub("simsiam", &simsiam, "views of an image predict one another");
  s.Sub("nearest", &nearest, "images are also compared with places near their own");
  s.Check([this]() -> std::string {
    return simsiam.weight > 0 && views < 2
               ? fmt::format("views is {}, but simsiam.weight {} compares views of an image: it needs 2",
                             views, simsiam.weight)
               : "";
  });
}

}  // namespace graticule
