// The datasets that a verb is told to work on.
//
// None may be named twice, under whatever names: its records would count twice. All of them must be there
// before the first is worked on. Errors are kUsage, but for RequireManifest's (data/shard/manifest.h).
#pragma once

#include <string>
#include <vector>

#include "launch/options.h"

namespace graticule {

// As they were named, as `name`: at least one.
std::vector<std::string> DatasetFolders(const Options& options, const std::string& name = "folder");
// They may be something else than datasets, or damaged: the verb says what of each.
std::vector<std::string> DistinctFolders(const Options& options, const std::string& name = "folder");

}  // namespace graticule
