// What every `data import <source>` does alike: its options, its run and its report.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/import/importer.h"
#include "launch/options.h"

namespace graticule {

void AddCommonOptions(boost::program_options::options_description& options);
// After Parse. dataset, split: as the shards are called.
ImportOptions CommonOptions(const Options& options, const std::string& dataset, const std::string& split);
// Imports with progress and prints the report; returns the exit code.
int Import(const Options& options, ImportOptions import, const ImportTable& table, const SourceOf& source,
           bool needs_ids);

// The table that --csv names, else the one expected at `path`, below the folder of the download.
std::string FindTable(const Options& options, const std::string& path);
// Files directly in `folder` for which `wanted` holds, ordered by the number at the end of the stem, then by
// name. Empty where there is no such folder.
std::vector<std::string> FindFiles(const std::string& folder,
                                   const std::function<bool(const std::string&)>& wanted);

// One source each; arguments after its name.
int ImportBenchmark(const std::string& name, const std::vector<std::string>& arguments);
int ImportStreet360loc(const std::vector<std::string>& arguments);
int ImportStreetscapes(const std::vector<std::string>& arguments);
int ImportCoordinates(const std::vector<std::string>& arguments);

}  // namespace graticule
