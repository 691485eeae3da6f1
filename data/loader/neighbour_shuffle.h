// The order of an epoch in which hard neighbours share a batch: a random record, then some of its own list,
// then the next random record, until the batch is full.
//
// Records are popped in the order of the keyed permutation (data/loader/order.h); one that the epoch has
// used already is a failure, any other joins the batch. Then, while the batch has room, its candidates join
// it unless the epoch has used them: the first select/2 of its list, then as many of the rest, drawn without
// replacement. `share` caps how many of a batch's positions candidates may take; 1 leaves it to chance. After
// give_up failures in a row lists are no longer looked at, and what is left follows in the order of the
// permutation: so every epoch has floor(N / batch) whole batches, and every record comes at most once. (The
// original ends the epoch there; up to that point the two are the same procedure.)
//
// A pure function; draws are keyed by (seed, epoch, position of the record that brings the list). Stored
// behaviour: a changed algorithm gets a new name. Memory: the order and N bits. Source: Deuser, Habel and
// Oswald, "Sample4Geo" (ICCV 2023); the cap is ours, because of what lies near, some is the same place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/loader/neighbour_lists.h"

namespace graticule {

struct ShuffleOptions {
  uint64_t seed = 0;
  int64_t batch = 0;       // records of a global batch
  int64_t select = 64;     // candidates per list
  double share = 0.5;      // of a batch, at most, from lists
  int64_t give_up = 1024;  // failures in a row
};

struct EpochOrder {
  std::vector<uint32_t> records;  // whole batches
  int64_t from_lists = 0;         // positions that a list filled
  int64_t gave_up_at = -1;        // position from which lists were no longer looked at; -1: none
};

// N = table.size() >= options.batch.
EpochOrder NeighbourShuffle(const NeighbourTable& table, const ShuffleOptions& options, int64_t epoch);

// "neighbours-v1:128x64of128,share=0.5,give_up=1024,SOURCE": batch, select, K, and where the lists are from.
std::string NeighbourShuffleName(const ShuffleOptions& options, int64_t per_record,
                                 const std::string& source);

}  // namespace graticule
