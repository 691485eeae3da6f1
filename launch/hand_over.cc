#include "launch/hand_over.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "base/error.h"

namespace graticule {

Verb HandOver(const std::string& name, const std::string& summary, const std::string& program) {
  return {name, summary, [name, program](const std::vector<std::string>& arguments) -> int {
            const auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
            std::vector<std::string> words = {path.string()};
            std::istringstream parts(name);
            for (std::string part; parts >> part;) words.push_back(part);
            words.insert(words.end(), arguments.begin(), arguments.end());
            std::vector<char*> argv;
            for (std::string& word : words) argv.push_back(word.data());
            argv.push_back(nullptr);
            execv(path.c_str(), argv.data());
            throw Error(ErrorCode::kUsage, fmt::format("cannot start {}: {}", program, std::strerror(errno)),
                        path.string(), "It belongs beside the graticule program; was it built?");
          }};
}

}  // namespace graticule
