// Argument parsing shared by all verbs: Boost.Program_options with --help and --json everywhere, and mistakes
// turned into Error(kUsage).
#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <vector>

namespace graticule {

class Options {
 public:
  // usage: "graticule submit [options] -- --config FILE [key=value...]"
  Options(std::string usage, std::string summary);

  boost::program_options::options_description& visible() { return visible_; }
  // Collects positional words under `name` (no limit on their number).
  void Positional(const std::string& name, const std::string& help);

  // True if the verb should go on; false after --help was printed. Throws Error(kUsage).
  bool Parse(const std::vector<std::string>& arguments);

  bool Has(const std::string& name) const { return values_.count(name) > 0 && !values_[name].defaulted(); }
  template <typename T>
  T Get(const std::string& name) const {
    return values_[name].as<T>();
  }
  // The value, which must be one of these: otherwise Error(kUsage).
  std::string Choice(const std::string& name, const std::vector<std::string>& allowed) const;
  std::vector<std::string> Words(const std::string& name) const;  // empty when absent
  // The path of a file that the verb will write. Error(kUsage) where the option is missing (hint: `example`)
  // and where no file can be: told before the work, not after it.
  std::string OutputFile(const std::string& name, const std::string& example) const;
  // The path of a folder that the verb will write, there or not. Error(kUsage) where the option is missing or
  // empty, or names a file.
  std::string OutputFolder(const std::string& name) const;
  // The value of --threads, 0 to 1024, where 0 means one per core but at most so many.
  int Threads(int most_of_cores = 1024) const;
  bool json() const { return values_.count("json") > 0; }

 private:
  std::string usage_, summary_, positional_;
  boost::program_options::options_description visible_, hidden_;
  boost::program_options::variables_map values_;
};

// A path of the command line, which must be there: Error(kUsage) otherwise. What is missing in a folder that
// is there is Error(kData).
std::string RequireFolder(const std::string& path);
std::string RequireFile(const std::string& path);

}  // namespace graticule
