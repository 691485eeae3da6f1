// Opens a shared library of ours that depends on the machine (MPI, CUDA): beside the executable in a build,
// in
// ../lib/graticule in an installation. Modules are never closed: their libraries register themselves for
// good. Failure: Error(kUsage) with the loader's own words. Thread-safe.
#pragma once

#include <filesystem>
#include <string>

namespace graticule {

// Where the module lies, empty when it was not built or not installed.
std::filesystem::path FindModule(const std::string& file_name);

// dlopen(RTLD_NOW | RTLD_GLOBAL), then the address of `symbol`. what: "MPI", for messages. hint: what to do.
void* OpenModule(const std::string& file_name, const char* symbol, const std::string& what,
                 const std::string& hint);

}  // namespace graticule
