#include "launch/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/json_row.h"

namespace po = boost::program_options;

namespace graticule {

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
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(positional)
                  // Abbreviated options would change their meaning when an option is added.
                  .style(po::command_line_style::default_style & ~po::command_line_style::allow_guessing)
                  .run(),
              values_);
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

std::vector<std::string> Options::Words(const std::string& name) const {
  return values_.count(name) ? values_[name].as<std::vector<std::string>>() : std::vector<std::string>();
}

}  // namespace graticule
