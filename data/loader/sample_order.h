// Which record stands at which position of which epoch: the orders that a loader can follow.
//
//   sequential  dataset order
//   global      one keyed permutation of all records per pass (data/loader/order.h)
//   block       passes over blocks of consecutive records: the blocks are permuted, then the records of
//               `pool` blocks at a time. For storage that reads 256 neighbours faster than 256 strangers
//   weighted    draws with replacement by an alias table (data/loader/alias_table.h)
//   mixture     several datasets in fixed proportions, each in passes of its own
//   plan        worked out beforehand and read from a file per epoch (data/loader/plan_folder.h)
//
// RecordAt is a pure function in constant time of (options, epoch, position), or of the plan: ranks, threads
// and restarts do not matter. Algorithms are stored behaviour: the name, with every parameter that changes
// the order, is part of each checkpoint, and a changed algorithm gets a new name. Immutable, thread-safe.
// Create throws Error(kUsage) for options that make no order. Source: docs/DETERMINISM.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/loader/alias_table.h"
#include "data/loader/plan_folder.h"

namespace graticule {

class Dataset;

struct BlockOrder {
  int64_t records = 0;  // consecutive records per block; 0: no block order
  int64_t pool = 0;     // blocks whose records are mixed; 0: as many as hold 2^18 records
};

struct OrderOptions {
  uint64_t seed = 0;
  int64_t records = 0;        // N
  int64_t epoch_samples = 0;  // positions of an epoch
  // Epochs are consecutive stretches of an endless stream of passes, not a permutation each.
  bool endless = false;
  bool shuffle = true;
  BlockOrder block;
  std::shared_ptr<const AliasTable> weights;  // one per record
  std::vector<double> mixture;                // a weight per member; empty: no mixture
  std::vector<int64_t> member_records;        // of the mixture, in record order; their sum is N
  std::shared_ptr<const PlanFolder> plans;    // of all positions; an epoch is asked for once its plan is open
};

struct RecordRange {
  int64_t first = 0, count = 0;
};

class SampleOrder {
 public:
  virtual ~SampleOrder() = default;
  static std::unique_ptr<const SampleOrder> Create(const OrderOptions& options);

  virtual int64_t RecordAt(int64_t epoch, int64_t position) const = 0;
  // The records of the positions [first, first + records.size()).
  virtual void RecordsAt(int64_t epoch, int64_t first, std::span<int64_t> records) const;
  // How often its dataset was gone through before; of draws with replacement, a number that is drawn too.
  virtual int64_t PassAt(int64_t epoch, int64_t position) const = 0;
  // Neighbours to be read ahead when the positions [first, first + count) are handed out; `begin`: they are
  // the first ones after a start or a jump. A hint: empty in orders without neighbours.
  virtual std::vector<RecordRange> ReadAhead(int64_t epoch, int64_t first, int64_t count, bool begin) const {
    return {};
  }
  virtual std::string name() const = 0;  // "feistel-v1"
};

// Slots that each member of a mixture holds of every `kMixtureBlock` positions: the largest remainders get
// what is left over. Every member with a weight above zero must get at least one.
inline constexpr int64_t kMixtureBlock = 1000;
std::vector<int64_t> MixtureSlots(const std::vector<double>& weights);

// Share of consecutive records that lie within 25 km of each other, of those with a place. Block order leaves
// such neighbours in one pool: it is refused above kMaxNeighbours.
double NeighbourShare(const Dataset& dataset);
inline constexpr double kMaxNeighbours = 0.05;

}  // namespace graticule
