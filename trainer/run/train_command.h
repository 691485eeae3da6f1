// One `graticule train` from resolved configuration to exit code: a fresh start, a resumption, or nothing
// left to do.
//
// A folder with a valid checkpoint is resumed if the fixed fields of its configuration match (Error(kUsage)
// naming every difference otherwise); a finished run returns 0 at once. Rank 0 alone touches the run folder;
// its decision is broadcast. Returns 0 (finished), 5 (non-finite step), 75 (stopped on request, checkpoint
// good).
#pragma once

#include <memory>
#include <string>

#include "base/config/resolve.h"
#include "trainer/comm/world.h"
#include "trainer/config/root_config.h"
#include "trainer/run/run_folder.h"
#include "trainer/run/run_start.h"

namespace graticule {

struct TrainCommand {
  RootConfig config;
  ConfigResult resolved;
  Section* root = nullptr;  // bound to `config`
  bool fresh = false;       // refuse a folder that holds a run
  bool take_lock = false;   // take the folder from whoever holds it
  bool json = false;
  std::string command_line;  // what resumes the run, for the message at the end
};

// What the first rank does before MPI starts: takes the folder, looks what lies in it, writes status
// "starting".
struct TrainBegin {
  bool first = false;  // this process did it
  RunStart start;
  std::unique_ptr<RunFolder> folder;  // null where nothing is left to do, and on the other ranks
};
// Throws before it changes anything where the folder cannot be trained into.
TrainBegin BeginTraining(TrainCommand& command);

// begin: BeginTraining's on rank 0, empty elsewhere.
int TrainCollective(TrainCommand& command, TrainBegin begin, World& world);

}  // namespace graticule
