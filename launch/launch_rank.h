// Which rank this process will be, before any communicator exists: mistakes that every rank finds alike are
// told by one.
#pragma once

#include <functional>
#include <string>

namespace graticule {

struct World;

// From the launcher's variables (Open MPI, PMI, PMIx, SLURM steps); 0 without a launcher.
int LaunchRank();

// How many ranks the launcher starts, from its variables; 1 without a launcher.
int LaunchSize();

// Runs body. An Error leaves as it is on the first rank; the others end with its exit code, silently and a
// moment later, so that the launcher does not stop the first one before it has spoken.
int SpeakAsFirstRank(const std::function<int()>& body);

// Opens a world on `device` for a verb that works in one process; a launcher that started several is refused.
int RunAlone(const std::string& verb, const std::string& device, const std::function<int(World&)>& body);

// Sets the process up for a precision: tf32 products on GPUs, bf16 on the CPU made safe
// (trainer/cpu_bf16_probe.h). Before any tensor and before MPI. Throws Error(kUsage) for a precision that is
// not fp32, tf32 or bf16, and for tf32 on the CPU.
void PrepareArithmetic(const std::string& precision, const std::string& device);

}  // namespace graticule
