#include "launch/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <thread>
#include <typeinfo>

#include "base/error.h"
#include "base/fs.h"
#include "base/json_row.h"

namespace po = boost::program_options;

namespace graticule {

namespace {

constexpr char kCheckPath[] = "Check the path on the command line.";

// Boost reads -1 as the largest number there is where none below 0 is taken.
void RefuseNegative(const po::option& option, const po::variables_map& values) {
  const auto value = values.find(option.string_key);
  if (value == values.end() || value->second.value().type() != typeid(uint64_t)) return;
  if (option.value.empty() || !option.value[0].starts_with('-')) return;
  throw Error(ErrorCode::kUsage,
              fmt::format("--{} is {}, expected 0 or more", option.string_key, option.value[0]));
}

}  // namespace

Options::Options(std::string usage, std::string summary)
    : usage_(std::move(usage)), summary_(std::move(summary)), visible_("options", 110, 60) {
  visible_.add_options()("help,h", "print this and exit")("json",
                                                          "print one machine-readable object on stdout");
}

void Options::Positional(const std::string& name, const std::string& help) {
  positional_ = name;
  hidden_.add_options()(name.c_str(), po::value<std::vector<std::string>>(), help.c_str());
}

bool Options::Parse(const std::vector<std::string>& arguments) {
  po::options_description all;
  all.add(visible_).add(hidden_);
  po::positional_options_description positional;
  if (!positional_.empty()) positional.add(positional_.c_str(), -1);
  try {
    const po::parsed_options parsed =
        po::command_line_parser(arguments)
            .options(all)
            .positional(positional)
            // Abbreviated options would change their meaning when an option is added.
            .style(po::command_line_style::default_style & ~po::command_line_style::allow_guessing)
            .run();
    po::store(parsed, values_);
    for (const auto& option : parsed.options) RefuseNegative(option, values_);
    if (values_.count("help")) {
      std::ostringstream text;
      text << visible_;
      if (json())
        fmt::print("{}\n", ToJson({{"usage", usage_}, {"summary", summary_}, {"options", text.str()}}));
      else
        fmt::print("usage: {}\n\n{}\n\n{}", usage_, summary_, text.str());
      return false;
    }
    po::notify(values_);
  } catch (const po::error& error) {
    throw Error(ErrorCode::kUsage, error.what(), "", fmt::format("usage: {}", usage_));
  }
  return true;
}

std::string Options::Choice(const std::string& name, const std::vector<std::string>& allowed) const {
  const auto value = Get<std::string>(name);
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
  throw Error(ErrorCode::kUsage,
              fmt::format("--{} is \"{}\", expected {}", name, value, fmt::join(allowed, " or ")));
}

std::string Options::OutputFile(const std::string& name, const std::string& example) const {
  if (!Has(name)) {
    throw Error(ErrorCode::kUsage, fmt::format("--{} is missing", name), "",
                fmt::format("For example --{} {}", name, example));
  }
  const auto path = Get<std::string>(name);
  std::error_code error;
  const auto there = std::filesystem::status(path, error);
  const auto refuse = [&](const char* found) {
    throw Error(ErrorCode::kUsage, fmt::format("--{} {}", name, found), path,
                fmt::format("Name a file to write, for example --{} {}", name, example));
  };
  if (path.empty() || path.ends_with('/') || std::filesystem::is_directory(there)) refuse("names a folder");
  // A finished file takes the name by renaming, which would replace a device like /dev/null.
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there))
    refuse("names no regular file");
  if (!PosixFs().IsDirectory(DirName(path))) refuse("lies in a folder that is not there");
  return path;
}

std::string Options::OutputFolder(const std::string& name) const {
  const std::string path = values_.count(name) ? Get<std::string>(name) : "";
  if (path.empty()) throw Error(ErrorCode::kUsage, fmt::format("--{} is missing", name), "", "see --help");
  if (PosixFs().Exists(path) && !PosixFs().IsDirectory(path))
    throw Error(ErrorCode::kUsage, fmt::format("--{} names a file", name), path, "Name a folder to write.");
  return path;
}

int Options::Threads(int most_of_cores) const {
  constexpr int kMost = 1024;
  const int threads = Get<int>("threads");
  if (threads < 0 || threads > kMost)
    throw Error(ErrorCode::kUsage, fmt::format("--threads is {}, expected 0 to {}", threads, kMost));
  if (threads > 0) return threads;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, most_of_cores);
}

std::vector<std::string> Options::Words(const std::string& name) const {
  return values_.count(name) ? values_[name].as<std::vector<std::string>>() : std::vector<std::string>();
}

std::string RequireFolder(const std::string& path) {
  if (PosixFs().IsDirectory(path)) return path;
  throw Error(ErrorCode::kUsage, PosixFs().Exists(path) ? "this is no folder" : "there is no such folder",
              path, kCheckPath);
}

std::string RequireFile(const std::string& path) {
  if (PosixFs().Exists(path)) return path;
  throw Error(ErrorCode::kUsage, "there is no such file", path, kCheckPath);
}

}  // namespace graticule
