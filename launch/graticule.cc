// graticule: the command people type. Its own verbs start in milliseconds (no torch, no MPI); the others are
// handed over to graticule-data or graticule-train beside it, as git does.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "launch/verb.h"
#include "launch/verbs/config.h"
#include "launch/verbs/status.h"
#include "launch/verbs/submit.h"

namespace graticule {
namespace {

Verb HandOver(const std::string& name, const std::string& summary, const std::string& program) {
  return {name, summary, [name, program](const std::vector<std::string>& arguments) -> int {
            const auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
            std::vector<char*> argv;
            std::string program_text = path.string(), name_text = name;
            argv.push_back(program_text.data());
            argv.push_back(name_text.data());
            std::vector<std::string> copies = arguments;
            for (std::string& argument : copies) argv.push_back(argument.data());
            argv.push_back(nullptr);
            execv(path.c_str(), argv.data());
            throw Error(ErrorCode::kUsage, fmt::format("cannot start {}: {}", program, std::strerror(errno)),
                        path.string(), "It belongs beside the graticule program; was it built?");
          }};
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  using graticule::HandOver;
  std::vector<graticule::Verb> verbs = {
      HandOver("data", "import, check, split and look at datasets", "graticule-data"),
      HandOver("cells", "build, inspect and draw geocell partitions", "graticule-data"),
      HandOver("report", "tables and figures of finished runs", "graticule-data"),
      HandOver("train", "train a model (under mpirun: one process per GPU)", "graticule-train"),
      HandOver("eval", "evaluate a model on a dataset", "graticule-train"),
      HandOver("embed", "keep a frozen tower's outputs for a dataset", "graticule-train"),
      HandOver("predict", "where was this photo taken", "graticule-train"),
      HandOver("export", "write a Hugging Face directory for serving", "graticule-train"),
      graticule::SubmitVerb(),
      graticule::StatusVerb(),
      HandOver("--version", "versions of everything inside", "graticule-train"),
  };
  for (graticule::Verb& verb : graticule::ConfigVerbs()) verbs.push_back(std::move(verb));
  return graticule::RunVerbs("graticule", verbs, argc, argv);
}
