#include "data/enrich/enrich_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/hash.h"
#include "data/country.h"
#include "data/enrich/coast_distance.h"
#include "data/enrich/country_polygons.h"
#include "data/enrich/land_cover_legend.h"
#include "data/enrich/raster_layer.h"

namespace graticule {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr double kCountryReachKm = 25;

std::vector<EnrichSource> SourcesOf(const std::vector<std::string>& files) {
  std::vector<EnrichSource> out;
  for (const std::string& file : files) out.push_back({BaseName(file), Sha256HexOfFile(file)});
  return out;
}

RasterSamples Sample(const std::string& layer, const std::string& file, const LayerSampling& how,
                     bool interpolate, std::optional<double> nodata = std::nullopt) {
  return SampleRaster(file, how.places,
                      {.interpolate = interpolate,
                       .reach_km = how.reach_km,
                       .nodata = nodata,
                       .threads = how.threads,
                       .progress = [&](int64_t done) {
                         if (how.progress) how.progress(layer, done);
                       }});
}

void CheckRange(const std::string& layer, const std::string& file, std::span<const double> values, double low,
                double high) {
  int64_t known = 0, outside = 0;
  double least = INFINITY, most = -INFINITY;
  for (const double v : values) {
    if (std::isnan(v)) continue;
    ++known;
    outside += v < low || v > high;
    least = std::min(least, v);
    most = std::max(most, v);
  }
  if (static_cast<double>(outside) <= 0.001 * static_cast<double>(known)) return;
  throw Error(ErrorCode::kData,
              fmt::format("{}: {} of {} values lie outside of {} to {} (found {:.6g} to {:.6g})", layer,
                          outside, known, low, high, least, most),
              file, "Is it the right product, in the right unit? `gdalinfo -stats` shows its values.");
}

// What the samples say about a column; values, whose unknown ones are NaN, decide what counts.
void Count(const RasterSamples& samples, std::span<const double> values, SampledColumn& out) {
  EnrichColumnInfo& info = out.column.info;
  out.from_afar.assign(values.size(), false);
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    if (samples.kind[i] != SampleKind::kFallback) {
      ++info.direct;
      continue;
    }
    ++info.fallback;
    out.from_afar[i] = true;
    sum += samples.away_km[i];
    info.fallback_max_km = std::max(info.fallback_max_km, static_cast<double>(samples.away_km[i]));
  }
  if (info.fallback > 0) info.fallback_mean_km = sum / static_cast<double>(info.fallback);
}

void PutQuantity(const std::string& name, const std::vector<EnrichSource>& sources, const LayerSampling& how,
                 const RasterSamples& samples, std::span<const double> values, SampledColumns& out) {
  SampledColumn& column = out[name];
  column.column.info = {.sources = sources, .method = "bilinear", .reach_km = how.reach_km};
  Count(samples, values, column);
  column.column.values = std::vector<float>(values.begin(), values.end());
}

// codes: the classes that there are. What else the raster holds counts as no data, as long as it is rare.
void PutClasses(const std::string& name, const std::string& file, const LayerSampling& how,
                std::span<const uint8_t> codes, RasterSamples samples, SampledColumns& out) {
  int64_t known = 0, foreign = 0;
  double example = 0;
  std::vector<uint8_t> classes(samples.value.size(), kMissingU8);
  for (size_t i = 0; i < samples.value.size(); ++i) {
    double& value = samples.value[i];
    if (std::isnan(value)) continue;
    ++known;
    const bool whole = value == std::floor(value) && value >= 0 && value < kMissingU8;
    if (whole && std::binary_search(codes.begin(), codes.end(), static_cast<uint8_t>(value))) {
      classes[i] = static_cast<uint8_t>(value);
    } else {
      ++foreign;
      example = value;
      value = kNaN;
    }
  }
  if (static_cast<double>(foreign) > 0.001 * static_cast<double>(known)) {
    throw Error(ErrorCode::kData,
                fmt::format("{}: {} of {} values are none of its {} classes, {} for one", name, foreign,
                            known, codes.size(), example),
                file, "Is it the right product? `gdalinfo -hist` shows its values.");
  }
  SampledColumn& column = out[name];
  column.column.info = {.sources = SourcesOf({file}), .method = "nearest", .reach_km = how.reach_km};
  Count(samples, samples.value, column);
  column.column.values = std::move(classes);
}

}  // namespace

void SampleClimate(const std::string& file, const LayerSampling& how, SampledColumns& out) {
  std::vector<uint8_t> codes;
  for (uint8_t code = 1; code <= 30; ++code) codes.push_back(code);
  // Beck's maps hold 0 at sea, whether or not they declare it.
  PutClasses("climate", file, how, codes, Sample("climate", file, how, false, 0), out);
}

void SampleElevation(const std::string& file, const LayerSampling& how, SampledColumns& out) {
  const RasterSamples samples = Sample("elevation", file, how, true);
  CheckRange("elevation (m)", file, samples.value, -430, 6500);
  PutQuantity("elev_m", SourcesOf({file}), how, samples, samples.value, out);
}

void SamplePopulation(const std::string& file, const LayerSampling& how, SampledColumns& out) {
  RasterSamples samples = Sample("population", file, how, true);
  for (size_t i = 0; i < samples.value.size(); ++i) {
    if (samples.kind[i] == SampleKind::kOutside) samples.value[i] = 0;
  }
  CheckRange("population density (per km2)", file, samples.value, 0, 811'000);
  PutQuantity("popden_km2", SourcesOf({file}), how, samples, samples.value, out);
}

void SampleLandCover(const std::string& file, const std::string& legend, const LayerSampling& how,
                     SampledColumns& out) {
  const std::span<const uint8_t> codes = LandCoverCodes(legend);
  const std::optional<double> nodata = codes[0] == 0 ? std::nullopt : std::optional<double>(0);
  PutClasses("landcover", file, how, codes, Sample("land cover", file, how, false, nodata), out);
  out["landcover"].column.info.legend = legend;
}

std::vector<std::string> MonthlyFiles(const std::string& variable, const std::string& where) {
  const bool folder = PosixFs().IsDirectory(where);
  const std::string in = folder ? where : DirName(where).empty() ? "." : DirName(where);
  const std::string pattern = folder ? "*.tif" : BaseName(where);
  const size_t star = pattern.find('*');
  if (star == std::string::npos || !PosixFs().IsDirectory(in)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("--worldclim-{} is neither a folder nor a path with a *", variable), where,
                "Write it like wc2.1_2.5m_tavg or wc2.1_2.5m_tavg/wc2.1_2.5m_tavg_*.tif");
  }
  const std::string before = pattern.substr(0, star), after = pattern.substr(star + 1);
  std::vector<std::string> months(12);
  std::string found;
  for (const std::string& name : PosixFs().List(in)) {
    if (name.size() < before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after))
      continue;
    if (folder && name.find(variable) == std::string::npos) continue;
    const std::string stem = name.substr(0, name.rfind('.'));
    const size_t digits = stem.find_last_not_of("0123456789") + 1;
    const int month = digits < stem.size() ? std::atoi(stem.c_str() + digits) : 0;
    found += (found.empty() ? "" : ", ") + name;
    if (month < 1 || month > 12 || !months[static_cast<size_t>(month - 1)].empty()) {
      throw Error(ErrorCode::kData, fmt::format("{} does not end in a month of its own, 01 to 12", name), in);
    }
    months[static_cast<size_t>(month - 1)] = JoinPath(in, name);
  }
  const auto missing = std::find(months.begin(), months.end(), "");
  if (missing != months.end()) {
    throw Error(ErrorCode::kData,
                fmt::format("there is no file of {} for month {:02}; found {}", variable,
                            missing - months.begin() + 1, found.empty() ? "none" : found),
                in, "All twelve monthly files are needed.");
  }
  return months;
}

void SampleWorldClim(const std::string& variable, const std::string& where, const LayerSampling& how,
                     SampledColumns& out) {
  const bool temperature = variable == "tavg";
  const std::vector<std::string> files = MonthlyFiles(variable, where);
  RasterSamples first;
  std::vector<double> mean, least, most;
  for (size_t month = 0; month < files.size(); ++month) {
    RasterSamples samples = Sample(fmt::format("{} {:02}", variable, month + 1), files[month], how, true);
    if (!temperature) CheckRange("monthly precipitation (mm)", files[month], samples.value, 0, 2800);
    const auto steep =
        std::find_if(samples.value.begin(), samples.value.end(), [](double v) { return std::abs(v) > 100; });
    if (temperature && steep != samples.value.end()) {
      throw Error(ErrorCode::kData, fmt::format("a mean temperature of {:.6g} degrees C", *steep),
                  files[month], "WorldClim 1 counts tenths of degrees; take version 2.1.");
    }
    if (month == 0) {
      mean = least = most = samples.value;
      first = std::move(samples);
      continue;
    }
    for (size_t i = 0; i < mean.size(); ++i) {
      const double v = samples.value[i];
      mean[i] += v;  // NaN where any month is
      least[i] = std::min(least[i], v);
      most[i] = std::max(most[i], v);
    }
  }
  for (size_t i = 0; i < mean.size(); ++i) {
    mean[i] /= 12;
    most[i] = std::isnan(mean[i]) ? kNaN : most[i] - least[i];
  }
  const char* unit = temperature ? "temperature (degrees C)" : "precipitation (mm per month)";
  CheckRange(fmt::format("mean {}", unit), where, mean, temperature ? -55 : 0, temperature ? 35 : 2800);
  CheckRange(fmt::format("yearly range of {}", unit), where, most, 0, temperature ? 65 : 2800);
  const std::vector<EnrichSource> sources = SourcesOf(files);
  PutQuantity(temperature ? "tavg_c" : "prec_mm", sources, how, first, mean, out);
  PutQuantity(temperature ? "tdiff_c" : "precdiff_mm", sources, how, first, most, out);
}

void SampleCountry(const std::string& file, const LayerSampling& how, SampledColumns& out) {
  CountrySamples samples = SampleCountries(file, how.places, kCountryReachKm, [&](int64_t done) {
    if (how.progress) how.progress("countries", done);
  });
  SampledColumn& column = out["country_iso"];
  column.column.info = {
      .sources = SourcesOf({file}), .method = "point in polygon", .reach_km = kCountryReachKm};
  EnrichColumnInfo& info = column.column.info;
  column.from_afar.assign(samples.iso.size(), false);
  for (size_t i = 0; i < samples.iso.size(); ++i) {
    if (samples.iso[i] == 0) continue;
    const double km = samples.away_km[i];
    column.from_afar[i] = km > 0;
    ++(km > 0 ? info.fallback : info.direct);
    info.fallback_mean_km += km;
    info.fallback_max_km = std::max(info.fallback_max_km, km);
  }
  if (info.fallback > 0) info.fallback_mean_km /= static_cast<double>(info.fallback);
  column.column.values = std::move(samples.iso);
}

void SampleCoast(const std::string& file, const LayerSampling& how, SampledColumns& out) {
  std::vector<float> km = CoastDistancesKm(file, how.places, how.threads, [&](int64_t done) {
    if (how.progress) how.progress("coast", done);
  });
  SampledColumn& column = out[kCoastColumn];
  column.column.info = {.sources = SourcesOf({file}), .method = "nearest coast"};
  column.column.info.direct = std::count_if(km.begin(), km.end(), [](float v) { return !std::isnan(v); });
  column.column.values = std::move(km);
}

void DriveSide(std::span<const uint16_t> country_iso, SampledColumns& out) {
  std::vector<uint8_t> left(country_iso.size(), kMissingU8);
  SampledColumn column;
  column.column.info.method = "country code";
  for (size_t i = 0; i < left.size(); ++i) {
    const std::optional<bool> side = DrivesOnTheLeft(Alpha2Of(country_iso[i]));
    if (!side) continue;
    left[i] = *side ? 1 : 0;
    ++column.column.info.direct;
  }
  column.column.values = std::move(left);
  if (column.column.info.direct > 0) out["drive_left"] = std::move(column);
}

}  // namespace graticule
