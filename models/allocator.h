// The C library's allocator, told to keep what a training step frees.
//
// By default blocks above 32 MiB are mapped and unmapped each time, so every activation of every step is
// faulted in and zeroed again by the kernel: a third of the time of a small tower's step on the CPU
// (bench/results/tower_step.md). Process-wide; call once at the start of a program that trains on the CPU.
// Freed memory then stays with the process.
#pragma once

namespace graticule {

void KeepFreedMemory();

}  // namespace graticule
