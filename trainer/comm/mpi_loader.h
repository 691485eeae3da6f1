// MPI seen from the program: opens libgraticule_mpi.so and makes communicators over its table.
// Nothing here is linked to MPI. Main thread only. Failure: Error(kUsage) when the module cannot serve.
#pragma once

#include <memory>
#include <string>

#include "base/comm/communicator.h"
#include "trainer/comm/mpi_module.h"

namespace graticule {

// True when a launcher that speaks PMI started this process.
bool LaunchedByMpi();

// True under mpirun, false under srun and without a launcher. Ask before MPI_Init, which adds variables.
bool LaunchedByMpirun();

// Throws Error(kUsage) when SLURM started several tasks without a launcher that MPI understands: each would
// believe that it is alone and they would overwrite one another's run.
void RefuseUnconnectedTasks();

// The module's table, opened once. MPI_Init happens in its open().
const MpiTable& LoadMpi();

// channel: kMpiControl or kMpiData.
std::unique_ptr<Communicator> MakeMpiCommunicator(const MpiTable& mpi, const MpiWorldInfo& info, int channel,
                                                  double timeout_s);

}  // namespace graticule
