#include "data/enrich/raster_layer.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "data/enrich/parallel.h"
#include "data/enrich/raster_band.h"

namespace graticule {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A place with the first pixel that it needs: the one that holds it, or the upper left of its four neighbours
// (column wrapped; a column or row of -1, or a row past the last, is outside of the raster).
struct Site {
  uint64_t block;
  int32_t row, col;
  uint32_t place;
};

class Sampler {
 public:
  Sampler(const std::string& path, std::span<const LatLon> places, const RasterSampling& how,
          RasterSamples& out)
      : band_(path, how.nodata), grid_(band_.grid()), places_(places), how_(how), out_(out) {}

  // Fills the kind of places that need no pixel; sorts the others by block, then by pixel.
  std::vector<Site> Plan() {
    std::vector<Site> sites;
    const int64_t across = (grid_.width() + band_.block_width() - 1) / band_.block_width();
    for (size_t i = 0; i < places_.size(); ++i) {
      const PixelPosition at = grid_.Locate(places_[i]);
      int64_t col = 0, row = 0;
      if (std::isnan(at.u)) continue;
      if (!grid_.PixelOf(at, col, row)) {
        out_.kind[i] = SampleKind::kOutside;
        continue;
      }
      if (how_.interpolate) FirstNeighbour(at, col, row);
      const int64_t block = std::max<int64_t>(row, 0) / band_.block_height() * across +
                            std::max<int64_t>(col, 0) / band_.block_width();
      sites.push_back({static_cast<uint64_t>(block), static_cast<int32_t>(row), static_cast<int32_t>(col),
                       static_cast<uint32_t>(i)});
    }
    std::sort(sites.begin(), sites.end(), [](const Site& a, const Site& b) {
      return std::tie(a.block, a.row, a.col, a.place) < std::tie(b.block, b.row, b.col, b.place);
    });
    return sites;
  }

  // Samples sites that are sorted; `done` is told how many more are finished.
  void Run(std::span<const Site> sites, const PartDone& done) {
    for (size_t from = 0; from < sites.size();) {
      const size_t to = EndOfGroup(sites, from);
      SampleGroup(sites.subspan(from, to - from));
      done(static_cast<int64_t>(to - from));
      from = to;
    }
  }

 private:
  void FirstNeighbour(PixelPosition at, int64_t& col, int64_t& row) const {
    col = static_cast<int64_t>(std::floor(at.u - 0.5));
    row = static_cast<int64_t>(std::floor(at.v - 0.5));
    if (grid_.wraps()) col = (col % grid_.width() + grid_.width()) % grid_.width();
  }

  // Sites of one block whose common window stays small.
  size_t EndOfGroup(std::span<const Site> sites, size_t from) const {
    constexpr int64_t kPixels = 4 << 20;
    int64_t left = sites[from].col, right = left;
    size_t to = from + 1;
    for (; to < sites.size() && sites[to].block == sites[from].block; ++to) {
      left = std::min<int64_t>(left, sites[to].col);
      right = std::max<int64_t>(right, sites[to].col);
      if ((right - left + 2) * (sites[to].row - sites[from].row + 2) > kPixels) break;
    }
    return to;
  }

  void SampleGroup(std::span<const Site> sites) {
    const int extra = how_.interpolate ? 1 : 0;
    int64_t left = sites[0].col, right = left;
    for (const Site& site : sites) {
      left = std::min<int64_t>(left, site.col);
      right = std::max<int64_t>(right, site.col);
    }
    right += extra;
    const int64_t top = std::clamp<int64_t>(sites.front().row, 0, grid_.height() - 1),
                  bottom = std::min<int64_t>(sites.back().row + extra, grid_.height() - 1);
    left = std::max<int64_t>(left, 0);
    if (!grid_.wraps()) right = std::min(right, grid_.width() - 1);
    box_ = {left, top, right - left + 1, bottom - top + 1};
    band_.Read(box_, raw_);
    for (const Site& site : sites) {
      const double raw = how_.interpolate ? Interpolated(site) : RawAt(site.col, site.row);
      if (!std::isnan(raw)) Put(site.place, raw, SampleKind::kDirect, 0);
    }
    // Last, because it reads other windows.
    for (const Site& site : sites) {
      if (out_.kind[site.place] != SampleKind::kDirect) FillFromNearest(site.place);
    }
  }

  // NaN: no data, or outside.
  double RawAt(int64_t col, int64_t row) const {
    col -= box_.col;
    row -= box_.row;
    if (col < 0 || col >= box_.width || row < 0 || row >= box_.height) return kNaN;
    const double raw = raw_[static_cast<size_t>(row * box_.width + col)];
    return band_.IsValue(raw) ? raw : kNaN;
  }

  double Interpolated(const Site& site) const {
    const PixelPosition at = grid_.Locate(places_[site.place]);
    const double right = at.u - 0.5 - std::floor(at.u - 0.5), down = at.v - 0.5 - std::floor(at.v - 0.5);
    double sum = 0, weights = 0;
    for (int k = 0; k < 4; ++k) {
      const double weight = (k % 2 == 0 ? 1 - right : right) * (k / 2 == 0 ? 1 - down : down);
      const double raw = RawAt(site.col + k % 2, site.row + k / 2);
      if (std::isnan(raw)) continue;
      sum += weight * raw;
      weights += weight;
    }
    return weights > 0 ? sum / weights : kNaN;
  }

  void Put(uint32_t place, double raw, SampleKind kind, double away_km) {
    out_.value[place] = band_.ToUnits(raw);
    out_.kind[place] = kind;
    out_.away_km[place] = static_cast<float>(away_km);
  }

  // The circle grows, so that most coasts need a few pixels only. Of equally near pixels the upper left wins.
  void FillFromNearest(uint32_t place) {
    out_.kind[place] = SampleKind::kNoData;
    if (how_.reach_km <= 0) return;
    for (const double share : {0.125, 0.25, 0.5, 1.0}) {
      const double km = share * how_.reach_km;
      std::tuple<double, int64_t, int64_t> best{km, std::numeric_limits<int64_t>::max(), 0};
      double best_raw = kNaN;
      for (const PixelBox& box : grid_.BoxesWithin(places_[place], km)) {
        band_.Read(box, raw_);
        for (int64_t i = 0; i < box.width * box.height; ++i) {
          const double raw = raw_[static_cast<size_t>(i)];
          const int64_t col = (box.col + i % box.width + grid_.width()) % grid_.width();
          const int64_t row = box.row + i / box.width;
          LatLon centre;
          if (!band_.IsValue(raw) || !grid_.CentreOf(col, row, centre)) continue;
          const std::tuple found{HaversineKm(places_[place], centre), row, col};
          if (found < best) {
            best = found;
            best_raw = raw;
          }
        }
      }
      if (!std::isnan(best_raw)) return Put(place, best_raw, SampleKind::kFallback, std::get<0>(best));
    }
  }

  RasterBand band_;
  const RasterGrid& grid_;
  std::span<const LatLon> places_;
  const RasterSampling& how_;
  RasterSamples& out_;
  PixelBox box_;  // of raw_ while a group is sampled
  std::vector<double> raw_;
};

}  // namespace

RasterSamples SampleRaster(const std::string& path, std::span<const LatLon> places,
                           const RasterSampling& how) {
  RasterSamples out{std::vector<double>(places.size(), kNaN),
                    std::vector<SampleKind>(places.size(), SampleKind::kUnknownPlace),
                    std::vector<float>(places.size(), 0)};
  const std::vector<Site> sites = Sampler(path, places, how, out).Plan();
  // Threads take neighbouring parts of the order by block, and write to places of their own.
  RunInParts(how.threads, sites.size(), how.progress, [&](size_t from, size_t to, const PartDone& done) {
    Sampler(path, places, how, out).Run({sites.data() + from, to - from}, done);
  });
  return out;
}

}  // namespace graticule
