// One error type for everything the world can do to a run, and one check for our own bugs.
//
// World (bad input, full disk, lost peer): throw Error. Its message reads: what was found, what was
// expected, where, and what to do. `launch` turns the code into the process exit code.
// Bug (a broken invariant): GRATICULE_CHECK, never reachable from input.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace graticule {

// Each value is also the exit code of the process (docs/RUNS.md).
enum class ErrorCode : int {
  kUsage = 2,       // command line or configuration
  kData = 3,        // dataset, shard, image, foreign weight file
  kCheckpoint = 4,  // our own checkpoints, or storage that cannot be written
  kNumerics = 5,    // non-finite loss or gradient
  kPeer = 6,        // a rank was lost or hangs
  kNoProgress = 7,  // started three times without a new checkpoint
  kBug = 70,        // a broken invariant of ours
  kPreempted = 75,  // stopped on request, checkpoint good
};

class Error : public std::exception {
 public:
  // what: found and expected. where: file, file:line:column, record id, rank. hint: what to do next.
  Error(ErrorCode code, std::string what, std::string where = "", std::string hint = "");

  ErrorCode code() const { return code_; }
  int exit_code() const { return static_cast<int>(code_); }
  const std::string& message() const { return message_; }
  const std::string& where() const { return where_; }
  const std::string& hint() const { return hint_; }
  // "where: message\n  hint"
  const char* what() const noexcept override { return full_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_, where_, hint_, full_;
};

[[noreturn]] void FailCheck(const char* expression, const char* file, int line, std::string_view detail);

}  // namespace graticule

// GRATICULE_CHECK(cond) or GRATICULE_CHECK(cond, detail): detail is anything a std::string_view takes.
#define GRATICULE_CHECK(cond, ...)                                                        \
  do {                                                                                    \
    if (!(cond)) [[unlikely]]                                                             \
      ::graticule::FailCheck(#cond, __FILE__, __LINE__, ::std::string_view{__VA_ARGS__}); \
  } while (0)
