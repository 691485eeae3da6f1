// Where every thread of this process stands, written to a file: after a fatal signal, or when a peer hangs.
//
// One section per thread with its name and its frames as "module(+offset) [address]"; `addr2line -Cfpe MODULE
// OFFSET` turns them into lines. Works while the heap is damaged: nothing is allocated between the signal and
// the file. Threads that do not answer within a second (blocked in the kernel) are listed without frames.
#pragma once

#include <string>

namespace graticule {

// From now on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT leave `path` behind, then do what they always did.
// The last folder of the path is made when that happens. Call once, before other threads handle signals of their own.
void DumpStacksOnFatalSignal(const std::string& path);

// Best effort, as the failure itself matters more. Not while another dump runs.
void DumpStacks(const std::string& path, const std::string& reason) noexcept;

}  // namespace graticule
