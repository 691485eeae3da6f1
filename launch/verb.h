// A verb of the command line: `graticule <verb> [<sub-verb>] [options]`.
//
// Verbs parse their own arguments with Boost.Program_options, write results to stdout (with --json exactly
// one object), messages to stderr, throw Error on failure, and return the exit code otherwise.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace graticule {

struct Verb {
  std::string name;     // "train", "data import"
  std::string summary;  // one line for --help
  std::function<int(const std::vector<std::string>& arguments)> run;
};

// Finds the longest matching verb in argv, runs it, turns Error into its exit code and message on stderr
// (--json: also {"error": ...} on stdout). Unknown verbs are answered with the nearest known one, exit 2.
int RunVerbs(const std::string& program, const std::vector<Verb>& verbs, int argc, char** argv);

}  // namespace graticule
