// Requests to stop or to save that reach a running training from outside: signals, and files in the run
// folder.
//
// SIGINT, SIGUSR1, SIGUSR2: the first asks for a checkpoint at the next step boundary and an end with exit
// code 75; the second SIGINT leaves at once. SIGTERM asks for the same only where nobody kills the process a
// moment later: without a launcher and under srun. Under mpirun it keeps its default action (mpirun sends
// SIGKILL 0.9 s after it). Files in the run folder, seen by rank 0 within about a second and removed: STOP
// (checkpoint and end), SAVE (checkpoint). The requests of all ranks are combined by the step's control
// all-reduce; nothing here communicates.
#pragma once

#include <chrono>
#include <string>

namespace graticule {

class StopRequest {
 public:
  // Installs the handlers; they stay until the process ends. run_dir: empty on ranks that do not look for
  // files.
  StopRequest(std::string run_dir, bool term_is_checkpoint);

  bool StopAsked();  // cheap: an atomic, and a stat at most once per second
  bool SaveAsked();  // true once per SAVE file
  const std::string& reason() const { return reason_; }  // "SIGUSR1", "STOP file"; empty: nobody asked here

 private:
  void LookForFiles();
  const std::string run_dir_;
  std::string reason_;
  bool save_ = false;
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace graticule
