// What a start of `train` finds in its run folder, and what follows from it. Rank 0 looks; the others are
// told.
//
// nothing, or a folder without any checkpoint   -> start at step 0
// a valid checkpoint, same fixed fields         -> resume there (warn fields that differ are listed)
// a valid checkpoint of a finished run          -> nothing to do
// a valid checkpoint, other fixed fields        -> Error(kUsage) naming each field with both values
// only damaged checkpoints                      -> Error(kCheckpoint) saying what is wrong with each
// a run that got further than its start, with --fresh -> Error(kUsage)
#pragma once

#include <string>
#include <vector>

#include "base/comm/communicator.h"
#include "base/config/resolve.h"
#include "trainer/checkpoint/train_state.h"

namespace graticule {

struct RunStart {
  enum class Kind { kFresh, kResume, kFinished };
  Kind kind = Kind::kFresh;
  std::string checkpoint;             // folder to load from (kResume, kFinished)
  TrainState state;                   // of that checkpoint
  std::vector<std::string> warnings;  // rank 0 only
};

// resolved_yaml: of this start. root: the schema behind it.
RunStart FindRunStart(const std::string& run_dir, Section& root, const std::string& resolved_yaml,
                      bool fresh);

// Collective: what rank 0 has found, on all ranks.
RunStart ShareRunStartCollective(const RunStart& start, Communicator& control);

// Whether a restarted job is in a crash loop: throws Error(kNoProgress) when the last three starts in
// events.jsonl failed, or had a rank killed by a signal ("lost" with a code above 128, which `status
// --decide` writes: out of memory, as a rule), without a checkpoint between them. Starts that were preempted
// or lost their node do not count.
void RefuseCrashLoop(const std::string& run_dir);

// Throws Error(kUsage) unless data, embeddings, cells, gallery and order are those that the state was trained
// with. now: a state with these five fields filled in.
void CheckSameInputs(const TrainState& state, const TrainState& now);

}  // namespace graticule
