#include "launch/verb.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.h"
#include "base/json_row.h"
#include "base/json_text.h"
#include "base/text.h"

namespace graticule {
namespace {

constexpr char kReport[] = "This is a bug in graticule; please report it.";

Error NotArrived(int error) {
  return {ErrorCode::kCheckpoint,
          fmt::format("cannot write to the standard output: {}", std::strerror(error))};
}

int Fail(const Error& error, bool json) {
  // Must not throw where nobody can be told: an error is on its way already.
  const auto tell = [](const std::string& text, std::FILE* to) {
    std::fwrite(text.data(), 1, text.size(), to);
  };
  tell(fmt::format("error: {}\n", error.what()), stderr);
  if (json && std::ferror(stdout) == 0) tell(ErrorJson(error) + "\n", stdout);
  return error.exit_code();
}

void PrintHelp(const std::string& program, const std::vector<Verb>& verbs, bool json) {
  if (json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Verb& verb : verbs) list.push_back({{"verb", verb.name}, {"summary", verb.summary}});
    fmt::print("{}\n", JsonText(nlohmann::ordered_json{{"program", program}, {"verbs", list}}));
    return;
  }
  fmt::print("usage: {} <verb> [options]\n\n", program);
  for (const Verb& verb : verbs) fmt::print("  {:<16} {}\n", verb.name, verb.summary);
  fmt::print("\n`{} <verb> --help` explains one.\n", program);
}

// The verbs of a group such as "cells": `program cells` and `program cells --help` list them.
std::vector<Verb> GroupOf(const std::string& word, const std::vector<Verb>& verbs) {
  std::vector<Verb> group;
  for (const Verb& verb : verbs) {
    if (verb.name.starts_with(word + " ")) group.push_back(verb);
  }
  return group;
}

// Nothing matched: help for a group, or an error that names the nearest verb.
int NoVerb(const std::string& program, const std::vector<Verb>& verbs,
           const std::vector<std::string>& arguments, bool json) {
  const std::vector<Verb> group = GroupOf(arguments[0], verbs);
  const bool asks = arguments.size() > 1 && (arguments[1] == "--help" || arguments[1] == "-h");
  if (!group.empty() && (asks || arguments.size() == 1)) {
    PrintHelp(program, group, json);
    return asks ? 0 : static_cast<int>(ErrorCode::kUsage);
  }
  const std::string given = group.empty() ? arguments[0] : arguments[0] + " " + arguments[1];
  std::vector<std::string> known;
  for (const Verb& verb : group.empty() ? verbs : group) {
    known.push_back(verb.name);
    if (group.empty()) known.push_back(verb.name.substr(0, verb.name.find(' ')));
  }
  const std::string nearest = Nearest(given, known);
  throw Error(ErrorCode::kUsage,
              fmt::format("unknown verb \"{}\"{}", Printable(given),
                          nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest)),
              "", fmt::format("`{}{} --help` lists them", program, group.empty() ? "" : " " + arguments[0]));
}

// A dataset of five million records has some 250 shards, each open twice, once more for its validation part;
// the limit of 1,024 that most systems begin with is for the sake of select(), which nothing here calls.
void AllowManyOpenFiles() {
  constexpr rlim_t kEnough = 65536;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
  limit.rlim_cur = std::min(limit.rlim_max, kEnough);
  setrlimit(RLIMIT_NOFILE, &limit);  // where this fails, opening a file may, and tells so
}

int Dispatch(const std::string& program, const std::vector<Verb>& verbs,
             const std::vector<std::string>& arguments, bool json) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
      (json && arguments.size() == 1)) {
    PrintHelp(program, verbs, json);
    return arguments.empty() ? static_cast<int>(ErrorCode::kUsage) : 0;
  }
  for (size_t words = std::min<size_t>(2, arguments.size()); words >= 1; --words) {
    std::string name = arguments[0];
    if (words == 2) name += " " + arguments[1];
    for (const Verb& verb : verbs) {
      if (verb.name == name) return verb.run({arguments.begin() + words, arguments.end()});
    }
  }
  return NoVerb(program, verbs, arguments, json);
}

}  // namespace

int RunVerbs(const std::string& program, const std::vector<Verb>& verbs, int argc, char** argv) {
  AllowManyOpenFiles();
  signal(SIGXFSZ, SIG_IGN);  // a file that meets its limit is then an error of the write
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  try {
    const int code = Dispatch(program, verbs, arguments, json);
    // What was printed may still wait for a disk that is full.
    if (std::fflush(stdout) != 0) throw NotArrived(errno);
    return code;
  } catch (const Error& error) {
    return Fail(error, json);
  } catch (const std::system_error& error) {
    if (std::ferror(stdout) != 0) return Fail(NotArrived(error.code().value()), json);
    return Fail(Error(ErrorCode::kBug, error.what(), "", kReport), json);
  } catch (const std::exception& error) {
    return Fail(Error(ErrorCode::kBug, error.what(), "", kReport), json);
  }
}

}  // namespace graticule
