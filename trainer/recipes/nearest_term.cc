#include "trainer/recipes/nearest_term.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "losses/batch_collectives.h"

namespace graticule {
namespace {

constexpr LatLon kNowhere{std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};

// Two samples may share a neighbour; what is a row's positive must not be its negative too.
constexpr double kSamePlaceKm = 1e-3;

ContrastiveConfig Masked(const MaskConfig& mask) {
  ContrastiveConfig config;
  config.mask = mask;
  config.mask.km = std::max(mask.km, kSamePlaceKm);
  return config;
}

}  // namespace

NearestTerm::NearestTerm(const NearestConfig& config, const MaskConfig& mask, int64_t width,
                         c10::Device device)
    : config_(config), loss_("infonce", Masked(mask)), bank_(config.bank, width, device) {}

NearestSums NearestTerm::SumCollective(const ContrastiveRows& rows, const ContrastivePlaces& known,
                                       int64_t first_sample, Communicator& comm, StreamHandle stream) {
  const at::Tensor own_BD = rows.places_BD.detach();
  const int64_t samples = own_BD.size(0), first = comm.rank() * samples;
  GRATICULE_CHECK(std::ssize(known.batch) == comm.world_size() * samples);
  gathered_GD_ = GatherRowsCollective(own_BD, comm, stream);
  places_ = known.batch;
  const at::Tensor zero = at::zeros({}, own_BD.options().dtype(at::kDouble));
  if (first_sample < config_.after) return {zero, zero};

  const std::span<const LatLon> own_places = std::span(places_).subspan(first, samples);
  const at::Tensor own_slots = bank_.Nearest(own_BD, own_places, config_.min_km, config_.max_km);
  const at::Tensor slots = GatherRowsCollective(own_slots, comm, stream).to(at::kCPU);
  ContrastivePlaces neighbours;
  neighbours.batch_keys = known.batch_keys;
  int64_t found = 0, own_found = 0;
  for (int64_t g = 0; g < slots.size(0); ++g) {
    const int64_t slot = slots.const_data_ptr<int64_t>()[g];
    neighbours.batch.push_back(slot < 0 ? kNowhere : bank_.place(slot));
    if (slot < 0) continue;
    ++found;
    if (g >= first && g < first + samples) ++own_found;
  }
  if (found == 0) return {zero, zero};
  ContrastiveRows towards;
  towards.images_ID = rows.images_ID;
  towards.places_BD = bank_.Rows(own_slots).to(own_BD.scalar_type());
  towards.log_scale = rows.log_scale;
  const at::Tensor sum = loss_.SumCollective(towards, neighbours, comm, stream).sum;
  const double share = static_cast<double>(found) / static_cast<double>(slots.size(0));
  return {sum / share, zero + static_cast<double>(own_found)};
}

void NearestTerm::Push() {
  if (!gathered_GD_.defined()) return;
  bank_.Push(gathered_GD_, places_);
  gathered_GD_ = at::Tensor();
}

}  // namespace graticule
