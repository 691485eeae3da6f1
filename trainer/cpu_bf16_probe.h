// Whether bf16 matrix products work on this CPU. Some virtual machines announce AMX and then raise SIGILL on
// its first instruction; oneDNN believes the announcement and the whole process dies.
//
// The probe runs a product in a forked child. Call it on the main thread before torch has computed anything
// (a child forked from a process with running OpenMP threads hangs) and before MPI is opened.
#pragma once

#include <string>

namespace graticule {

// How a forked child that runs `body` ends: empty when body returns true, else "signal 4 (Illegal
// instruction)", "a wrong result", or the signal of its time limit of 30 s.
std::string EndOfChild(bool (*body)());

// EndOfChild of a product of two bf16 matrices.
std::string ProbeCpuBf16();

// Makes bf16 safe for the rest of this process: where the probe dies, limits oneDNN to AVX-512 (unless the
// user has set ONEDNN_MAX_CPU_ISA) and returns a sentence for the log; empty when nothing had to be done.
// Throws Error(kUsage) when bf16 dies even so.
std::string PrepareCpuBf16();

}  // namespace graticule
