#include "trainer/comm/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/error.h"

namespace graticule {

std::filesystem::path FindModule(const std::string& file_name) {
  std::error_code ignored;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const auto& candidate :
       {folder / file_name, folder / "../lib/graticule" / file_name, folder / "../bin" / file_name}) {
    if (std::filesystem::exists(candidate, ignored)) return candidate.lexically_normal();
  }
  return {};
}

void* OpenModule(const std::string& file_name, const char* symbol, const std::string& what,
                 const std::string& hint) {
  const std::filesystem::path path = FindModule(file_name);
  if (path.empty()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{} support is not there: found no {} beside the program", what, file_name), "",
                hint);
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library)
    throw Error(ErrorCode::kUsage, fmt::format("{} cannot be opened: {}", file_name, dlerror()), path, hint);
  void* entry = dlsym(library, symbol);
  if (!entry)
    throw Error(ErrorCode::kUsage, fmt::format("{} has no {}", file_name, symbol), path,
                "build it from this source");
  return entry;
}

}  // namespace graticule
